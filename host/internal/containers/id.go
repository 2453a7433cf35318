package containers

import (
	"crypto/rand"
	"encoding/hex"
)

// newContainerID makes the id of a container: 64 hexadecimal digits, 256 random bits.
func newContainerID() string { return randomHex(32) }

// newID makes the id of an exec or a client: 16 hexadecimal digits, 64 random bits.
func newID() string { return randomHex(8) }

// randomHex returns random bytes in hexadecimal digits.
func randomHex(bytes int) string {
	b := make([]byte, bytes)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}
