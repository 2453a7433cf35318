package supervisor

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/go-hclog"
)

// maxText is how much of a text of an executor's the host logs, in bytes.
const maxText = 16 << 10

// relayEntry logs one line of an executor. Lines of hclog keep their level and values.
// Whatever the line has in it, it is one entry of the host's log.
func relayEntry(line []byte, logger hclog.Logger) {
	var entry map[string]any
	message, ok := "", false
	if json.Unmarshal(line, &entry) == nil {
		message, ok = entry["@message"].(string)
	}
	if !ok {
		text := encoded(string(line))
		if strings.Contains(text, "[ERR] yamux:") {
			// A library says so whenever a host hangs up.
			logger.Trace("the executor's connection has ended", "library", text)
		} else {
			logger.Info(text)
		}
		return
	}
	level, _ := entry["@level"].(string)
	var values []any
	for key, value := range entry {
		if !strings.HasPrefix(key, "@") {
			values = append(values, encoded(key), plain(value))
		}
	}
	sortPairs(values)
	at := hclog.LevelFromString(level)
	if at == hclog.NoLevel || at == hclog.Off {
		at = hclog.Info
	}
	logger.Log(at, encoded(message), values...)
}

// plain returns a value that the logger prints as one, and encodes: of others it prints
// what is in them as it is.
func plain(value any) any {
	switch v := value.(type) {
	case string:
		return v[:min(len(v), maxText)]
	case float64, bool, nil:
		return v
	}
	text, _ := json.Marshal(value) // it came as JSON
	return string(text[:min(len(text), maxText)])
}

// encoded returns a text with everything encoded that would end the line or move the
// cursor of who reads it.
func encoded(text string) string {
	rest := ""
	if len(text) > maxText {
		text, rest = text[:maxText], "…"
	}
	clean := true
	for _, r := range text {
		clean = clean && strconv.IsPrint(r) && r != '\uFFFD'
	}
	if clean {
		return text + rest
	}
	quoted := strconv.Quote(text)
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`) + rest
}

// sortPairs sorts key, value pairs by key.
func sortPairs(values []any) {
	pairs := slices.Collect(slices.Chunk(slices.Clone(values), 2))
	slices.SortFunc(pairs, func(a, b []any) int { return strings.Compare(a[0].(string), b[0].(string)) })
	for i, pair := range pairs {
		copy(values[2*i:], pair)
	}
}
