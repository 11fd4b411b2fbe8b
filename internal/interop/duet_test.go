//go:build linux

package interop_test

import (
	"errors"
	"io"
	"sync"
	"syscall"
	"testing"
)

// duet with duet, each with a person's console.
func TestDuet(t *testing.T) {
	for _, framing := range []string{"auto", "raw", "lf", "crlf", "cr", "nul", "length"} {
		for _, end := range []string{"server", "client", "both"} {
			t.Run(framing+"/bye from "+end, func(t *testing.T) {
				t.Parallel()
				server := duet(t, "listen", "--console", "--framing", framing, "127.0.0.1:0")
				client := duet(t, "connect", "--console", "--framing", framing, "127.0.0.1:"+server.port(server.out))
				server.says("The Server has received a connection from 127.0.0.1: ")
				client.says("【Server】 Can I help you?\n")
				chat(t, server, client, framing != "raw")
				var both sync.WaitGroup
				switch end {
				case "server":
					server.types("bye")
					client.says("【Server】 bye\n")
					server.says("【Client】 Bye\n")
				case "client":
					client.types("Bye")
					server.says("【Client】 bye\n")
					client.says("【Server】 Bye\n")
				case "both":
					for _, p := range []*program{server, client} {
						both.Go(func() {
							// Who is late may have heard the other's bye, and ended.
							if _, err := io.WriteString(p.in, "bye\n"); err != nil && !errors.Is(err, syscall.EPIPE) {
								t.Errorf("%s does not read: %v", p.name, err)
							}
						})
					}
					both.Wait()
				}
				server.says("has ended: farewell\n")
				client.says("has ended: farewell\n")
				client.ends(0)
			})
		}
	}
}

// chat has each side say a few things, all at once or each when the one before it has arrived: in raw
// time alone parts messages, and a busy machine may pass over 50 ms.
func chat(t *testing.T, server, client *program, atOnce bool) {
	t.Helper()
	asks := []string{"你好！", "我想问一个问题：怎么写一个服务器？", "//help", "🙂"}
	asked := []string{"你好！", "我想问一个问题：怎么写一个服务器？", "/help", "🙂"}
	answers := []string{"你好，请说。", "/to 1 好的", "bye now"}
	answered := []string{"你好，请说。", "好的", "bye now"}
	if !atOnce {
		for i := range asks {
			client.types(asks[i])
			server.says("【Client】 " + asked[i] + "\n")
		}
		for i := range answers {
			server.types(answers[i])
			client.says("【Server】 " + answered[i] + "\n")
		}
		return
	}
	var both sync.WaitGroup
	both.Go(func() { client.types(asks...) })
	both.Go(func() { server.types(answers...) })
	both.Wait()
	for _, text := range asked {
		server.says("【Client】 " + text + "\n")
	}
	for _, text := range answered {
		client.says("【Server】 " + text + "\n")
	}
}

// Several clients at one server: each has a number, and each gets what is said to it.
func TestDuet_Several(t *testing.T) {
	t.Parallel()
	server := duet(t, "listen", "--console", "127.0.0.1:0")
	port := server.port(server.out)
	var clients []*program
	for _, n := range []string{"1", "2", "3"} {
		c := duet(t, "connect", "--console", "127.0.0.1", port)
		c.says("【Server】 Can I help you?\n")
		server.says("The Server has received a connection from 127.0.0.1: ")
		clients = append(clients, c)
		c.types("我是第" + n + "个")
		if n == "1" {
			server.says("【Client】 我是第1个\n")
		} else {
			server.says("【Client " + n + "】 我是第" + n + "个\n")
		}
	}
	server.types("/to 3 你是第三个", "/use 2", "你是第二个", "/all 大家好")
	for i, first := range []string{"", "你是第二个", "你是第三个"} {
		if first != "" {
			clients[i].says("【Server】 " + first + "\n")
		}
		clients[i].says("【Server】 大家好\n")
	}
	// One that says goodbye takes nobody with it.
	clients[1].types("bye")
	clients[1].ends(0)
	server.says("client 2 (127.0.0.1: ")
	server.says("has ended: farewell\n")
	clients[0].types("还在")
	server.says("【Client 1】 还在\n")
	server.types("/quit")
	for _, c := range []*program{clients[0], clients[2]} {
		c.says("has ended: farewell\n")
		c.ends(0)
	}
	server.ends(0)
}
