# Every kind of backend side by side, some executors more than once. A container is
# moved from one to another by the word after --backend.
default_backend = "shim"

# Linux containers, with a containerd that the backend starts for itself…
backend "containerd" {
  executor = "containerd"
}

# …and with no daemon.
backend "shim" {
  executor = "shim"
}

# Plain processes of this machine.
backend "process" {
  executor = "process"
}

# The same, for specs of containers that ask for a host name: it is passed over.
backend "loose" {
  executor = "process"
  config {
    ignore = ["usual", "hostname"]
  }
}

# WebAssembly modules…
backend "wasm" {
  executor = "wasm"
}

# …and some that are trusted less.
backend "small" {
  executor = "wasm"
  config {
    memory_limit = "64m"
    timeout      = "30s"
  }
}
