# One backend, "main". It names no containerd, so it starts one of its own.
backend "main" {
  executor = "containerd"
}
