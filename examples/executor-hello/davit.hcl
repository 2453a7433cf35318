# Paths are relative to this file. Without these lines davit uses /var/lib/davit,
# /run/davit and /usr/libexec/davit.
state_dir     = "state"
run_dir       = "run"
executor_dirs = ["."]

backend "hello" {
  executor = "hello"
  config {
    env = { GREETING = "hello" }
  }
}
