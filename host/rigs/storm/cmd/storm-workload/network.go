package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// serve answers each connection to a port with a line.
func serve(port int, text string) error {
	l, err := net.Listen("tcp", fmt.Sprintf(":%d", port))
	if err != nil {
		return err
	}
	go func() { // until the program ends
		for {
			conn, err := l.Accept()
			if err != nil {
				continue
			}
			go func() {
				defer conn.Close()
				_, _ = fmt.Fprintln(conn, text)
			}()
		}
	}()
	return nil
}

// lookPause is how long names are not looked for.
const lookPause = 2 * time.Millisecond

// watchNames looks for names in /etc/hosts, and notes in the file unnamed of a directory when
// one is missing, or a line is none.
func watchNames(dir string, names []string) {
	missed := map[string]bool{}
	for ; ; time.Sleep(lookPause) {
		for _, what := range lookUp(names) {
			if missed[what] {
				continue
			}
			missed[what] = true // once is enough
			f, err := os.OpenFile(filepath.Join(dir, "unnamed"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
			if err == nil {
				_, _ = fmt.Fprintln(f, what)
				_ = f.Close()
			}
		}
	}
}

// lookUp returns what is wrong with /etc/hosts.
func lookUp(names []string) (wrong []string) {
	text, err := os.ReadFile("/etc/hosts")
	if err != nil {
		return []string{err.Error()}
	}
	missing := slices.Clone(names)
	for lines := bufio.NewScanner(strings.NewReader(string(text))); lines.Scan(); {
		line, _, _ := strings.Cut(lines.Text(), "#")
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if net.ParseIP(words[0]) == nil || len(words) < 2 {
			wrong = append(wrong, fmt.Sprintf("the line %q", lines.Text()))
		}
		missing = slices.DeleteFunc(missing, func(name string) bool { return slices.Contains(words[1:], name) })
	}
	return append(wrong, missing...)
}
