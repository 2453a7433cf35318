package networks

import "github.com/davit-run/davit/shared/executor"

// checkMTU checks how large the packets of a network may be, in bytes; 0 leaves it open.
func checkMTU(n int) error {
	const least, most = 68, 65535 // those of IPv4, and of Ethernet in the kernel
	if n != 0 && (n < least || n > most) {
		return executor.Errorf(executor.Invalid, "MTU %d is not possible: packets of a network are %d to %d bytes; leave it out for that of this machine", n, least, most)
	}
	return nil
}
