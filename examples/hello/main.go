// Command hello greets. It is built twice, for Linux and as a WebAssembly module,
// so that it runs on every backend.
package main

import (
	"fmt"
	"os"
	"strings"
)

func main() {
	who := "world"
	if len(os.Args) > 1 {
		who = strings.Join(os.Args[1:], " ")
	}
	fmt.Printf("hello, %s\n", who)
}
