package memory_test

import (
	"testing"
	"testing/fstest"

	"duet.example/duet/internal/memory"
)

func TestInGroup(t *testing.T) {
	for _, test := range []struct {
		name  string
		files map[string]string
		want  int64
	}{
		{"no control groups", nil, 0},
		{"no limit, version 2", map[string]string{
			"proc/self/cgroup":                    "0::/user.slice\n",
			"sys/fs/cgroup/user.slice/memory.max": "max\n",
		}, 0},
		{"version 2", map[string]string{
			"proc/self/cgroup": "0::/system.slice/duet.service\n",
			"sys/fs/cgroup/system.slice/duet.service/memory.max": "536870912\n",
			"sys/fs/cgroup/system.slice/memory.max":              "max\n",
		}, 512 << 20},
		{"version 2, of the group above", map[string]string{
			"proc/self/cgroup": "0::/system.slice/duet.service\n",
			"sys/fs/cgroup/system.slice/duet.service/memory.max": "max\n",
			"sys/fs/cgroup/system.slice/memory.max":              "268435456\n",
		}, 256 << 20},
		{"version 2, a container with a name space of its own", map[string]string{
			"proc/self/cgroup":         "0::/\n",
			"sys/fs/cgroup/memory.max": "1048576\n",
		}, 1 << 20},
		{"version 1", map[string]string{
			"proc/self/cgroup": "5:cpu,cpuacct:/a\n4:memory:/a/b\n0::/\n",
			"sys/fs/cgroup/memory/a/b/memory.limit_in_bytes":    "4096\n",
			"sys/fs/cgroup/memory/a/memory.limit_in_bytes":      "9223372036854771712\n",
			"sys/fs/cgroup/cpu,cpuacct/a/memory.limit_in_bytes": "1\n",
		}, 4096},
		{"version 1, a container that sees its own root only", map[string]string{
			"proc/self/cgroup":                           "4:hugetlb,memory:/docker/0123\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "8192\n",
		}, 8192},
		{"both, memory in version 2", map[string]string{
			"proc/self/cgroup":                   "1:name=systemd:/a\n0::/a\n",
			"sys/fs/cgroup/unified/a/memory.max": "12288\n",
		}, 12288},
		{"not what it should be", map[string]string{
			"proc/self/cgroup":         "nonsense\n4:memory\n0::../../..\n",
			"sys/fs/cgroup/memory.max": "many\n",
		}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			root := fstest.MapFS{}
			for name, text := range test.files {
				root[name] = &fstest.MapFile{Data: []byte(text)}
			}
			if got := memory.InGroup(root); got != test.want {
				t.Errorf("%d bytes, want %d", got, test.want)
			}
		})
	}
}

func TestAvailable(t *testing.T) {
	if n := memory.Available(); n < 1<<20 {
		t.Errorf("this machine has %d bytes", n)
	}
}
