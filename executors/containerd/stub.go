package containerd

type daemonInfo struct{}
