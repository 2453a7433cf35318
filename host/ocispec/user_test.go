package ocispec_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/davit-run/davit/host/ocispec"
)

// TestUserOfGarbage runs as users and groups whose lines in /etc/passwd or /etc/group
// are damaged. None of them may become root, or another user.
func TestUserOfGarbage(t *testing.T) {
	const remedy = "; correct the file, or give the user by numbers, such as 1000:1000"
	for _, tt := range []struct{ name, passwd, group, user, want string }{
		{"uid a word", "a:x:1:1::/:\nevil:x:not-a-uid:10::/:\n", "", "evil", `passwd, line 2: "evil" has the uid "not-a-uid", which is no number from 0 to 2147483647`},
		{"uid hexadecimal", "evil:x:0x3e8:10::/:", "", "evil", `passwd, line 1: "evil" has the uid "0x3e8", which is no number from 0 to 2147483647`},
		{"uid with spaces", "evil:x: 1002 :10::/:", "", "evil", `passwd, line 1: "evil" has the uid " 1002 ", which is no number from 0 to 2147483647`},
		{"uid with a sign", "evil:x:+5:10::/:", "", "evil", `passwd, line 1: "evil" has the uid "+5", which is no number from 0 to 2147483647`},
		{"uid empty", "evil:x::10::/:", "", "evil", `passwd, line 1: "evil" has the uid "", which is no number from 0 to 2147483647`},
		{"uid missing", "evil:x", "", "evil", `passwd, line 1: "evil" has no uid`},
		{"uid too large", "evil:x:4294967296:10::/:", "", "evil", `passwd, line 1: "evil" has the uid "4294967296", which is no number from 0 to 2147483647`},
		{"uid of garbage with a group", "evil:x:x:10::/:", "", "evil:5", `passwd, line 1: "evil" has the uid "x", which is no number from 0 to 2147483647`},
		{"gid a word", "evil:x:10:staff::/:", "", "evil", `passwd, line 1: "evil" has the gid "staff", which is no number from 0 to 2147483647`},
		{"gid missing", "evil:x:10", "", "evil", `passwd, line 1: "evil" has no gid`},
		{"gid of a uid", "evil:x:10:staff::/:", "", "10", `passwd, line 1: "evil" has the gid "staff", which is no number from 0 to 2147483647`},
		{"gid of a group", "", "evil:x:zero:", "5:evil", `group, line 1: "evil" has the gid "zero", which is no number from 0 to 2147483647`},
		{"gid of a group missing", "", "a:x:1:\nevil", "5:evil", `group, line 2: "evil" has no gid`},
		{"gid of a further group", "a:x:10:10::/:", "more:x:7:a\nevil:x::b,a", "a", `group, line 2: "evil" has the gid "", which is no number from 0 to 2147483647`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rootfs := accounts(t, tt.passwd, tt.group)
			raw, err := ocispec.FromRootfs(rootfs, ocispec.Options{Args: []string{"sh"}, User: tt.user})
			file, rest, _ := strings.Cut(tt.want, ",")
			checkError(t, raw, err, fmt.Sprintf("file %q of rootfs %q,%s%s", "/etc/"+file, rootfs, rest, remedy))
		})
	}
}

// TestUserBesideGarbage runs as users of files in which others' lines are damaged.
func TestUserBesideGarbage(t *testing.T) {
	const passwd = "\n# nobody\nevil\nevil:x:\nevil:x:zero:zero\n+::::::\n a:x:10:10::/:\r\n"
	for _, tt := range []struct{ user, want string }{
		{"a", `{"additionalGids":[7,10],"gid":10,"uid":10}`},
		{"10", `{"additionalGids":[7,10],"gid":10,"uid":10}`},
		{"0", `{"additionalGids":[0],"gid":0,"uid":0}`},
		{"a:more", `{"additionalGids":[7],"gid":7,"uid":10}`},
	} {
		rootfs := accounts(t, passwd, "evil:x:zero:b\n\nmore:x:7:b,a\r\n")
		raw, err := ocispec.FromRootfs(rootfs, ocispec.Options{Args: []string{"sh"}, User: tt.user})
		if err != nil {
			t.Errorf("user %q: %v", tt.user, err)
			continue
		}
		if got, err := json.Marshal(at(document(t, raw), "process", "user")); err != nil || string(got) != tt.want {
			t.Errorf("user %q is %s (%v), want %s", tt.user, got, err, tt.want)
		}
	}
}

// TestLargeAccounts checks that a file is read whole or not at all: the line that the
// limit cuts names another uid.
func TestLargeAccounts(t *testing.T) {
	line := strings.Repeat("#", 4<<20-len("bob:x:1")-1) + "\nbob:x:1001:1001::/:\n"
	rootfs := accounts(t, line, "")
	raw, err := ocispec.FromRootfs(rootfs, ocispec.Options{Args: []string{"sh"}, User: "bob"})
	checkError(t, raw, err, `file "/etc/passwd" of rootfs "`+rootfs+`" cannot be read: it has more than 4194304 bytes; give the user by numbers, such as 1000:1000`)

	rootfs = accounts(t, "bob:x:1001:1001::/:", strings.Repeat("g:x:5:bob\n", 500_000))
	raw, err = ocispec.FromRootfs(rootfs, ocispec.Options{Args: []string{"sh"}, User: "bob"})
	checkError(t, raw, err, `file "/etc/group" of rootfs "`+rootfs+`" cannot be read: it has more than 4194304 bytes; give the user by numbers, such as 1000:1000`)

	var groups strings.Builder
	for gid := range 1<<16 + 1 {
		fmt.Fprintf(&groups, "g:x:%d:bob\n", gid)
	}
	rootfs = accounts(t, "bob:x:1001:1001::/:", groups.String())
	raw, err = ocispec.FromRootfs(rootfs, ocispec.Options{Args: []string{"sh"}, User: "bob"})
	checkError(t, raw, err, `user "bob" in rootfs "`+rootfs+`" is in 65537 groups, at most 65536 are possible; give a group, such as bob:0`)
}

// accounts makes a rootfs with these files.
func accounts(t *testing.T, passwd, group string) string {
	t.Helper()
	rootfs := bundle(t, "") + "/rootfs"
	write(t, rootfs+"/etc/passwd", passwd)
	write(t, rootfs+"/etc/group", group)
	return rootfs
}
