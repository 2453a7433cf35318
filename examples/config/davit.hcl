# One backend, "main". It needs no daemon: nothing but runc. Without any config
# `davit serve` has the same.
backend "main" {
  executor = "shim"
}
