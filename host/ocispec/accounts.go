package ocispec

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

const (
	// maxAccounts is the largest /etc/passwd or /etc/group that is read.
	maxAccounts = 4 << 20
	// maxID is the largest uid or gid. The files may say anything, and a runtime could
	// take 1<<32 for 0.
	maxID = 1<<31 - 1
	// maxGroups is how many groups the kernel lets a process have.
	maxGroups = 1 << 16
)

// accounts is /etc/passwd or /etc/group of a root file system. A line that is not
// about the wanted user or group may hold anything. In one that is, each number must
// be one: what C's atoi makes of garbage is 0, and that is root.
type accounts struct {
	file  string // for messages
	lines []string
}

// readAccounts reads a file of a root file system; one that does not exist is empty.
// It reads all of it or nothing: a line that is cut can be another valid one.
func readAccounts(rootfs, name string) (accounts, error) {
	a := accounts{file: fmt.Sprintf("file %q of rootfs %q", "/"+name, rootfs)}
	f, err := openInRoot(rootfs, name)
	if err != nil {
		return a, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxAccounts+1))
	if err == nil && len(text) > maxAccounts {
		err = fmt.Errorf("it has more than %d bytes", maxAccounts)
	}
	if err != nil {
		return a, fmt.Errorf("%s cannot be read: %w; give the user by numbers, such as 1000:1000", a.file, reason(err))
	}
	for line := range strings.SplitSeq(string(text), "\n") {
		a.lines = append(a.lines, strings.TrimSpace(line))
	}
	return a, nil
}

// account is a line about the wanted user or group.
type account struct {
	where  string
	fields []string
}

// find returns the first line that matches, or nil.
func (a accounts) find(match func(account) bool) *account {
	for i, line := range a.lines {
		found := account{fmt.Sprintf("%s, line %d", a.file, i+1), strings.Split(line, ":")}
		if match(found) {
			return &found
		}
	}
	return nil
}

// named returns whether a line is about a name, and numbered whether it is about an id.
func named(name string) func(account) bool {
	return func(a account) bool { return a.fields[0] == name }
}

func numbered(id int) func(account) bool {
	return func(a account) bool {
		n, err := a.id(2, "id")
		return err == nil && n == id
	}
}

// id returns the number in a field: digits alone.
func (a account) id(field int, what string) (int, error) {
	if len(a.fields) <= field {
		return 0, fmt.Errorf("%s: %q has no %s; correct the file, or give the user by numbers, such as 1000:1000", a.where, a.fields[0], what)
	}
	text := a.fields[field]
	n, err := strconv.ParseUint(text, 10, 64) // takes no sign, space or prefix
	if err != nil || n > maxID {
		return 0, fmt.Errorf("%s: %q has the %s %q, which is no number from 0 to %d; correct the file, or give the user by numbers, such as 1000:1000", a.where, a.fields[0], what, text, maxID)
	}
	return int(n), nil
}

// groupsOf returns the gids of the groups that list a user as their member.
func (a accounts) groupsOf(user string) ([]int, error) {
	var gids []int
	for i, line := range a.lines {
		group := account{fmt.Sprintf("%s, line %d", a.file, i+1), strings.Split(line, ":")}
		if len(group.fields) < 4 || !slices.Contains(strings.Split(group.fields[3], ","), user) {
			continue
		}
		gid, err := group.id(2, "gid")
		if err != nil {
			return nil, err
		}
		gids = append(gids, gid)
	}
	return gids, nil
}
