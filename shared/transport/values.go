package transport

import (
	"encoding/json"

	"github.com/davit-run/davit/shared/executor"
)

// defaultValues is how many JSON values a body of a method may have that says nothing
// else. Seen: 60.
const defaultValues = 1000

// unmarshal decodes a body that the other side has sent, of at most some number of
// values. It counts them before it makes any: three bytes, such as "{}," in a list of
// structs, can take some hundred in memory.
func unmarshal(body []byte, most int, v any) error {
	if most == 0 {
		most = defaultValues
	}
	if n := countValues(body); n > most {
		return executor.Errorf(executor.Invalid, "it has %d JSON values, at most %d are allowed", n, most)
	}
	return json.Unmarshal(body, v)
}

// countValues returns how many values a JSON text has, or more for one that is not valid.
func countValues(body []byte) int {
	n, inString := 1, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case c == '"':
			inString = !inString
		case inString && c == '\\':
			i++
		case !inString && (c == ',' || c == '{' || c == '['):
			n++
		}
	}
	return n
}
