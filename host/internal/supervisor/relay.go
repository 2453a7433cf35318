package supervisor

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"
)

const (
	// relayPoll is how late an executor's log line may show up in ours.
	relayPoll = 200 * time.Millisecond
	// relayPunch is how much of an executor's log is kept on disk at least.
	// Everything older was relayed and is given back to the file system.
	relayPunch = 1 << 20
	// relayLine is the longest line that is relayed as one.
	relayLine = 64 << 10
)

// relayLog writes what the executor of dir logs to logger, from the file's
// current end if that is asked for, until done is closed and all is read.
func relayLog(dir string, fromEnd bool, done <-chan struct{}, logger hclog.Logger) {
	f, err := os.OpenFile(filepath.Join(dir, logFile), os.O_RDWR, 0)
	if err != nil {
		logger.Warn("cannot read the executor's log", "error", err)
		return
	}
	defer f.Close()
	if fromEnd {
		_, _ = f.Seek(0, io.SeekEnd)
	}
	lines := bufio.NewReaderSize(f, relayLine)
	var partial []byte
	var punched int64
	for last := false; ; {
		line, err := lines.ReadSlice('\n')
		partial = append(partial, line...)
		switch {
		case err == nil || errors.Is(err, bufio.ErrBufferFull):
			if text := bytes.TrimRight(partial, "\n"); len(text) > 0 {
				relayEntry(text, logger)
			}
			partial = partial[:0]
			continue
		case !errors.Is(err, io.EOF):
			logger.Warn("cannot read the executor's log", "error", err)
			return
		}
		if last {
			if len(partial) > 0 {
				relayEntry(partial, logger)
			}
			return
		}
		if at, err := f.Seek(0, io.SeekCurrent); err == nil && at-punched > 2*relayPunch {
			if unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, punched, at-relayPunch-punched) == nil {
				punched = at - relayPunch
			}
		}
		select {
		case <-done:
			last = true // what was written before the end is read once more
		case <-time.After(relayPoll):
		}
	}
}

// relayEntry writes one line. Lines of hclog keep their level and values.
func relayEntry(line []byte, logger hclog.Logger) {
	var entry map[string]any
	if err := json.Unmarshal(line, &entry); err != nil {
		text := strings.ToValidUTF8(string(line), "\uFFFD")
		if strings.Contains(text, "[ERR] yamux:") {
			logger.Debug(text) // it says so whenever a host hangs up
		} else {
			logger.Info(text)
		}
		return
	}
	message, ok := entry["@message"].(string)
	if !ok {
		logger.Info(string(line))
		return
	}
	level, _ := entry["@level"].(string)
	var values []any
	for key, value := range entry {
		if !strings.HasPrefix(key, "@") {
			values = append(values, key, value)
		}
	}
	sortPairs(values)
	at := hclog.LevelFromString(level)
	if at == hclog.NoLevel {
		at = hclog.Info
	}
	logger.Log(at, message, values...)
}

// sortPairs puts key, value pairs in the order of their keys.
func sortPairs(values []any) {
	pairs := slices.Collect(slices.Chunk(slices.Clone(values), 2))
	slices.SortFunc(pairs, func(a, b []any) int { return strings.Compare(a[0].(string), b[0].(string)) })
	for i, pair := range pairs {
		copy(values[2*i:], pair)
	}
}
