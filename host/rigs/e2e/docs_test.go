package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/davit-run/davit/host/config"
	"github.com/davit-run/davit/host/rigs/gobuild"
)

// cannotRun has the commands of the documents that the tests below do not run, and why.
var cannotRun = map[string]string{
	"make run":                                          "builds and installs what it needs, and is what `make fresh` is about",
	"make test":                                         "would run this test",
	"make build rootfs":                                 "the tests have built both already",
	"make install":                                      "changes the machine; TestInstall installs elsewhere",
	"make install PREFIX=/usr":                          "changes the machine; TestInstall installs elsewhere",
	"systemctl daemon-reload":                           "needs a machine that systemd has started; `make vm` has one",
	"systemctl enable --now davit":                      "needs a machine that systemd has started; `make vm` has one",
	"systemctl enable --now davit.socket":               "needs a machine that systemd has started; `make vm` has one",
	"systemctl start davit":                             "needs a machine that systemd has started; `make vm` has one",
	"systemctl stop davit":                              "needs a machine that systemd has started; `make vm` has one",
	`apt install ./"$(make -s deb)"`:                    "changes the machine; `make vm` has one of its own",
	"davit new executor mine":                           "the new module needs a published davit; TestNew (host/cmd/davit-host) gives it this one",
	"cd davit-executor-mine && go test ./...":           "as above",
	"davit conformance --process ./davit-executor-mine": "as above; TestConformance (host/cmd/davit-host)",
	"go test ./...    # is it right? each subtest is a duty of executors": "is a minute of tests, which are those of the executors",
}

// interrupted has commands that go on until somebody interrupts them.
var interrupted = []string{"davit logs -f web", "davit stats web"}

// printed is a command of a document, with the output that stands below it.
type printed struct {
	command string
	output  []string
	checked bool // there is an output
}

// readDocument returns the commands of a document: lines of console blocks that begin with
// "# ", and lines of indented blocks. A block after a line "prints" is the output of the
// command before.
func readDocument(t *testing.T, name string) (commands []printed, hcl []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../..", name))
	if err != nil {
		t.Fatal(err)
	}
	fence, paragraph := "", ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		last := len(commands) - 1
		kind, isFence := strings.CutPrefix(line, "```")
		indented, isIndented := strings.CutPrefix(line, "    ")
		switch {
		case isFence && fence != "":
			fence = ""
		case isFence:
			if fence = kind; kind == "" {
				fence = "text"
			}
			if kind == "hcl" {
				hcl = append(hcl, "")
			}
		case fence == "hcl":
			hcl[len(hcl)-1] += line + "\n"
		case fence == "console":
			if command, ok := strings.CutPrefix(line, "# "); ok {
				commands = append(commands, printed{command: command})
			} else {
				commands[last].output, commands[last].checked = append(commands[last].output, line), true
			}
		case fence != "":
		case isIndented && paragraph == "prints":
			commands[last].output, commands[last].checked = append(commands[last].output, indented), true
		case isIndented:
			commands = append(commands, printed{command: indented})
		case line != "":
			paragraph = line
		}
	}
	return commands, hcl
}

// runnable returns the commands that are run, and notes which are not.
func runnable(commands []printed, seen map[string]bool) (all []printed) {
	for _, c := range commands {
		if cannotRun[c.command] != "" {
			seen[c.command] = true
			continue
		}
		all = append(all, c)
	}
	return all
}

// varies finds what differs from run to run, or from machine to machine: ids and sizes.
var varies = regexp.MustCompile(`\b([0-9a-f]{64}|[0-9a-f]{12}|[0-9]{5,})\b`)

const mark = "=====" // before the number of a command, and after it its exit code

// runAsPrinted runs commands in one shell, in namespaces of its own, and compares what they
// print. before and after are run by the same shell.
func runAsPrinted(t *testing.T, before string, commands []printed, after string) {
	t.Helper()
	var script strings.Builder
	script.WriteString(before)
	for i, c := range commands {
		line := c.command
		if slices.Contains(interrupted, line) {
			line = "timeout -s INT 0.5 " + line + "; [ $? = 124 ]"
		}
		fmt.Fprintf(&script, "\nprintf '\\n%s %d\\n'; (exit ${code:-0})\n%s\ncode=$?; printf '\\n%s end %%d\\n' $code\n", mark, i, line, mark)
	}
	script.WriteString("\n" + after)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	shell := exec.CommandContext(ctx, "unshare", "--mount", "--net", "--propagation", "private", "bash", "-c", script.String())
	shell.Dir = "../../.."
	shell.Env = append(append(os.Environ(), gobuild.Flags()...), "BIN="+bin, "ROOTFS="+rootfs)
	shell.WaitDelay = time.Second
	out, err := shell.CombinedOutput()
	if err != nil {
		t.Errorf("the shell: %v", err)
	}
	for i, c := range commands {
		_, text, _ := bytes.Cut(out, fmt.Appendf(nil, "\n%s %d\n", mark, i))
		text, code, ok := bytes.Cut(text, []byte("\n"+mark+" end "))
		code, _, _ = bytes.Cut(code, []byte("\n"))
		failing := c.checked && i+1 < len(commands) && commands[i+1].command == "echo $?" || strings.HasPrefix(c.command, "go run ./examples/ci-runner")
		if !ok || string(code) != "0" && !failing {
			t.Errorf("%s: exit code %s\n%s", c.command, code, text)
		}
		if !c.checked {
			continue
		}
		want := regexp.MustCompile("^" + varies.ReplaceAllString(regexp.QuoteMeta(strings.Join(c.output, "\n")), "([0-9a-f]{64}|[0-9a-f]{12}|[0-9]+)") + "$")
		got := strings.TrimSpace(string(text))
		if !want.MatchString(got) {
			t.Errorf("%s printed\n%s\nand the document says\n%s", c.command, got, strings.Join(c.output, "\n"))
		}
	}
	if t.Failed() {
		t.Logf("all of it:\n%s", out)
	}
}

// apart prepares a shell: places that belong to it alone, and davit in its PATH.
const apart = `set +m
mount --bind "$BIN" /mnt && mount -t tmpfs tmpfs /srv && cp -a "$ROOTFS" /srv/busybox || exit 1
for dir in /tmp /run /var/lib; do mount -t tmpfs tmpfs $dir || exit 1; done
ip link set lo up
export PATH=/mnt:$PATH TMPDIR=/tmp
go() { # has built the examples
	if [ "$1" = run ]; then local program=/mnt/${2##*/}; shift 2; "$program" "$@"; else command go "$@"; fi
}
curl() { command curl -sS "$@"; } # it is not at a terminal
stop() { davit rm -f $(davit ps -aq) >/dev/null; kill $1; wait $1; }
`

// TestReadmeIsTrue runs what README.md shows, with the config that it shows.
func TestReadmeIsTrue(t *testing.T) {
	need(t, debian)
	seen := map[string]bool{}
	commands, hcl := readDocument(t, "README.md")
	if len(hcl) != 2 || len(commands) < 20 {
		t.Fatalf("README.md has %d commands and %d configs", len(commands), len(hcl))
	}
	for i, text := range hcl {
		if i > 0 {
			text += hcl[0]
		}
		if _, diags := config.Parse([]byte(text), "/README.hcl"); diags.HasErrors() {
			t.Errorf("a config of README.md: %v", diags)
		}
	}
	commands = slices.DeleteFunc(runnable(commands, seen), func(c printed) bool {
		return strings.Contains(c.command, "--rootfs R ") // for TestExampleMixed
	})
	runAsPrinted(t, apart+`
for applet in httpd ps; do ln -s busybox /srv/busybox/bin/$applet; done
echo '.txt:text/plain' >/srv/busybox/etc/httpd.conf
mkdir -p /srv/www /tmp/here/site && echo '<h1>hello</h1>' | tee /srv/www/index.html >/tmp/here/site/new.html
cd /tmp/here
cat >davit.hcl <<'HCL'
`+hcl[0]+`
HCL
`+debian+` --config /dev/null --root /var/lib/containerd --state /run/containerd --address /run/containerd/containerd.sock 2>/tmp/containerd.log & daemon=$!
davit validate --config davit.hcl || exit 1
davit serve --config davit.hcl 2>/tmp/serve.log & host=$!
for try in $(seq 200); do davit backends --check >/dev/null 2>&1 && break; sleep 0.05; done
tar -C /srv/busybox -c . | davit import - busybox || exit 1 # what would be pulled
`, commands, `stop $host; kill $daemon; wait $daemon; tail -n 20 /tmp/serve.log`)
	if left := stale(t, seen, "README.md"); len(left) > 0 {
		t.Errorf("README.md has these, and not as commands of their own: %q", left)
	}
}

// TestExamplesAreTrue runs what the documents of the examples show, from the top of the
// repository. What it makes there is in file systems of its own.
func TestExamplesAreTrue(t *testing.T) {
	need(t, debian)
	documents, err := filepath.Glob("../../../examples/*/README.md")
	if err != nil || len(documents) < 5 {
		t.Fatalf("got %q, %v", documents, err)
	}
	seen := map[string]bool{}
	var names []string
	for _, path := range documents {
		name, err := filepath.Rel("../../..", path)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
		commands, _ := readDocument(t, name)
		commands = runnable(commands, seen)
		prepare, after := apart+`
mount -t tmpfs tmpfs .build && mkdir .build/bin .build/rootfs && mount --bind /mnt .build/bin || exit 1
cp -a /srv/busybox/. .build/rootfs
ln -s busybox .build/rootfs/bin/tar
`, ""
		switch filepath.Base(filepath.Dir(name)) {
		case "hello":
			prepare += `(cat examples/config/mixed.hcl; echo 'executor_dirs = ["/mnt"]') >/tmp/davit.hcl
davit serve --config /tmp/davit.hcl 2>/tmp/serve.log & host=$!
for try in $(seq 200); do davit backends --check >/dev/null 2>&1 && break; sleep 0.05; done
`
			after = "stop $host; tail -n 20 /tmp/serve.log"
		case "executor-hello":
			prepare += `cp -a examples/executor-hello /tmp/x && mount --bind /tmp/x examples/executor-hello && cd examples/executor-hello || exit 1
DIR=/srv/busybox
`
			for i := range commands {
				commands[i].command = strings.Replace(commands[i].command, " DIR ", " $DIR ", 1)
				if strings.HasSuffix(commands[i].command, "&") {
					commands[i].command += " until davit --host run/davit.sock ps >/dev/null 2>&1; do sleep 0.05; done"
				}
			}
			after = "davit --host run/davit.sock rm -f $(davit --host run/davit.sock ps -aq) >/dev/null; kill $!; wait $!"
		}
		t.Run(filepath.Base(filepath.Dir(name)), func(t *testing.T) {
			t.Parallel()
			runAsPrinted(t, prepare, commands, after)
		})
	}
	if left := stale(t, seen, names...); len(left) > 0 {
		t.Errorf("the documents have these, and not as commands of their own: %q", left)
	}
	all := append(names, "README.md")
	for command := range cannotRun {
		if !stands(t, command, all...) {
			t.Errorf("no document has %q any more", command)
		}
	}
}

// stale returns what cannot be run and stands in documents, and was not seen as a command.
func stale(t *testing.T, seen map[string]bool, documents ...string) (left []string) {
	t.Helper()
	for command := range cannotRun {
		if !seen[command] && stands(t, "\n    "+command+"\n", documents...) {
			left = append(left, command)
		}
	}
	return left
}

// stands reports whether a text stands in a document.
func stands(t *testing.T, text string, documents ...string) bool {
	t.Helper()
	for _, name := range documents {
		all, err := os.ReadFile(filepath.Join("../../..", name))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(all, []byte(text)) {
			return true
		}
	}
	return false
}
