// Command davit-openapi-check reads an OpenAPI document and exchanges of an API, as JSON,
// from its input. It prints what the document does not describe, and fails then.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/davit-run/davit/host/rigs/openapi"
)

func main() {
	var in struct {
		Document  json.RawMessage
		Exchanges []openapi.Exchange
	}
	if err := json.NewDecoder(os.Stdin).Decode(&in); err != nil {
		fail(err)
	}
	faults, err := openapi.Check(in.Document, in.Exchanges)
	if err != nil {
		fail(err)
	}
	for _, f := range faults {
		fmt.Println(f)
	}
	if len(faults) > 0 {
		os.Exit(1)
	}
	fmt.Printf("%d exchanges are as described\n", len(in.Exchanges))
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
