package supervisor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
	"github.com/davit-run/davit/shared/transport"
)

const (
	// handshakePoll is the interval at which a starting executor's stdout is read.
	// Plugins take about 10 ms to come up.
	handshakePoll = 2 * time.Millisecond
	// maxHandshake is how much of an executor's stdout is read, in bytes.
	maxHandshake = 4096
)

// awaitHandshake returns the address of the socket from the handshake line.
func awaitHandshake(ctx context.Context, dir string, exited <-chan struct{}) (string, error) {
	for {
		data, err := readHandshake(filepath.Join(dir, stdoutFile))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		if line, _, whole := bytes.Cut(data, []byte("\n")); whole {
			return parseHandshake(dir, string(line))
		}
		if len(data) == maxHandshake {
			return "", fmt.Errorf("the program does not speak go-plugin's handshake: its output starts with %.80q", data)
		}
		select {
		case <-exited:
			return "", errors.New("the executor ended before it was ready")
		case <-ctx.Done():
			return "", fmt.Errorf("the executor did not get ready in time: %w", context.Cause(ctx))
		case <-time.After(handshakePoll):
		}
	}
}

// readHandshake reads the beginning of a file, which may have any size.
func readHandshake(path string) ([]byte, error) {
	f, err := linux.Open(path, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data := make([]byte, maxHandshake)
	n, err := f.ReadAt(data, 0)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return data[:n], err
}

// parseHandshake reads CORE|VERSION|NETWORK|ADDRESS|PROTOCOL|CERT.
func parseHandshake(dir, line string) (string, error) {
	parts := strings.Split(strings.TrimSpace(line), "|")
	if len(parts) < 5 {
		return "", fmt.Errorf("the program does not speak go-plugin's handshake: its first line is %.80q", line)
	}
	if version, err := strconv.Atoi(parts[1]); err != nil {
		return "", fmt.Errorf("the program does not speak go-plugin's handshake: its version is %.20q", parts[1])
	} else if !transport.Speaks(version) {
		return "", transport.Incompatible("the executor", []int{version}, "this host", transport.Protocols())
	}
	if parts[2] != "unix" || parts[4] != "netrpc" {
		return "", executor.Errorf(executor.Unsupported, "the executor offers %.20q over %.20q; a davit executor offers netrpc over unix", parts[4], parts[2])
	}
	if want := filepath.Join(dir, socketDir); filepath.Dir(parts[3]) != want || filepath.Clean(parts[3]) != parts[3] {
		return "", fmt.Errorf("the executor's socket %.120q is not in its run directory %s", parts[3], want)
	}
	return parts[3], nil
}
