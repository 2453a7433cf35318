package process

import (
	"io"
	"os"
	"slices"
	"strings"

	"github.com/davit-run/davit/shared/linux"
	passwd "github.com/moby/sys/user"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// maxPasswd bounds how much is read of a root file system's /etc/passwd, in bytes.
const maxPasswd = 4 << 20

// withHome returns the environment of a process, with the HOME of its user if it has
// none, as OCI runtimes set it.
func (p *builder) withHome(root string, process *specs.Process) []string {
	for _, e := range process.Env {
		if strings.HasPrefix(e, "HOME=") {
			return process.Env
		}
	}
	uid := int(process.User.UID)
	if p.user.uid != 0 {
		uid = p.user.uid
	}
	return append(slices.Clip(process.Env), "HOME="+homeOf(root, uid))
}

// homeOf returns the home directory of a user, "/" if nobody knows it.
func homeOf(root string, uid int) string {
	const unknown = "/"
	dir, err := unix.Open(root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return unknown
	}
	defer unix.Close(dir)
	fd, err := linux.Openat2(dir, "etc/passwd", &unix.OpenHow{
		Flags:   unix.O_RDONLY | unix.O_CLOEXEC | unix.O_NONBLOCK | unix.O_NOCTTY, // nothing there may block us
		Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
	})
	if err != nil {
		return unknown
	}
	file := os.NewFile(uintptr(fd), "passwd")
	defer file.Close()
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return unknown
	}
	found, err := passwd.ParsePasswdFilter(io.LimitReader(file, maxPasswd), func(u passwd.User) bool { return u.Uid == uid })
	if err != nil || len(found) == 0 || found[0].Home == "" {
		return unknown
	}
	return found[0].Home
}
