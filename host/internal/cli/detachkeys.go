package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// defaultDetachKeys are docker's.
const defaultDetachKeys = "ctrl-p,ctrl-q"

// keysHold is how long keys are held back that may be the beginning of the detach keys.
// Docker holds them until the next key, so that one ctrl-p in a shell does nothing. People
// press the two of a sequence in less.
const keysHold = 250 * time.Millisecond

// parseKeys parses keys as docker writes them: letters, and ctrl- with a letter or one of
// @[\]^_, with commas between them. Empty means none.
func parseKeys(text string) ([]byte, error) {
	if text == "" {
		return nil, nil
	}
	var keys []byte
	for key := range strings.SplitSeq(text, ",") {
		c, ctrl := strings.CutPrefix(key, "ctrl-")
		switch {
		case len(c) != 1 || c[0] >= 0x80:
			return nil, fmt.Errorf("%q is not a key: give letters and ctrl-LETTER, as in %s", key, defaultDetachKeys)
		case !ctrl:
			keys = append(keys, c[0])
		case c[0] >= 'a' && c[0] <= 'z':
			keys = append(keys, c[0]-'a'+1)
		case strings.Contains(`@[\]^_`, c):
			keys = append(keys, c[0]-'@')
		default:
			return nil, fmt.Errorf("%q is not a key: ctrl- goes with a letter or one of @[\\]^_", key)
		}
	}
	return keys, nil
}

// errDetachKeys is the error of an input in which the detach keys were pressed.
var errDetachKeys = errors.New("detach keys")

// watchKeys returns an input without the keys, at which it ends with errDetachKeys.
func watchKeys(keys []byte, next func(context.Context) ([]byte, error)) func(context.Context) ([]byte, error) {
	if len(keys) == 0 {
		return next
	}
	var held []byte
	var end error
	return func(ctx context.Context) ([]byte, error) {
		if end != nil {
			return nil, end
		}
		for {
			wait, cancel := ctx, context.CancelFunc(func() {})
			if len(held) > 0 {
				wait, cancel = context.WithTimeout(ctx, keysHold)
			}
			data, err := next(wait)
			cancel()
			switch {
			case err == nil:
				data = append(held, data...)
				held = nil
			case len(held) > 0 && ctx.Err() == nil: // nothing has followed, or nothing will
				if !errors.Is(err, context.DeadlineExceeded) {
					end = err
				}
				data, held = held, nil
				return data, nil
			default:
				return nil, err
			}
			if before, _, found := bytes.Cut(data, keys); found {
				end = errDetachKeys
				if len(before) > 0 {
					return before, nil
				}
				return nil, end
			}
			n := begun(data, keys)
			held = append([]byte(nil), data[len(data)-n:]...)
			if n < len(data) {
				return data[:len(data)-n], nil
			}
		}
	}
}

// begun returns how many bytes at the end of data are the beginning of keys.
func begun(data, keys []byte) int {
	for n := min(len(data), len(keys)-1); n > 0; n-- {
		if bytes.HasPrefix(keys, data[len(data)-n:]) {
			return n
		}
	}
	return 0
}
