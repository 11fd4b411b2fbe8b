package transport

// maxUnixPath is the size of sun_path without its final zero byte (unix(7)).
const maxUnixPath = 107
