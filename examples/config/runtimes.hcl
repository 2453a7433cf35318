# Three backends: the machine's containerd, one of the backend's own, and none;
# with a choice of runtimes.
state_dir       = "/var/lib/davit"
run_dir         = "/run/davit"
executor_dirs   = ["/usr/libexec/davit"]
default_backend = "shared"

api {
  socket = "/run/davit/davit.sock"
}

log {
  level  = "info"
  format = "text"
}

output {
  max_size = "64m" # of each stream of a container; the oldest goes first
}

backend "shared" {
  executor        = "containerd"
  default_runtime = "runc"

  config {
    address   = "/run/containerd/containerd.sock"
    namespace = "davit"
  }

  # An OCI binary by its path, under the backend's default shim.
  runtime "crun" {
    path = "/usr/bin/crun"
  }

  # Another shim, with options of its own.
  runtime "plain" {
    shim = "io.containerd.runc.v1"
    options {
      no_new_keyring = true
    }
  }
}

backend "private" {
  executor = "containerd"
}

# No daemon at all: the executor drives the shims itself.
backend "bare" {
  executor = "shim"
}
