package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/shared/executor"
	"github.com/spf13/cobra"
)

var _ = Command(Containers, 120, (*App).cpCommand)

func (a *App) cpCommand() *cobra.Command {
	var o copyOptions
	cmd := &cobra.Command{
		Use:   "cp [flags] CONTAINER:PATH PATH|-\n  davit cp [flags] PATH|- CONTAINER:PATH",
		Short: "Copy files between a container and here",
		Long: `Copy a file or directory from a container, or to one. It need not run.

As with cp -r, an existing directory gets what is copied below it, under its own name;
otherwise the last part of the target is the new name. The contents of a directory are
DIR/. and - is a tar archive: on standard output, or on standard input.

Paths in a container are as the container sees them, and no link leads out of it. What
is mounted in it, such as volumes, can be reached while it runs. A path of here that has
a colon needs a slash before it: ./a:b.

Files belong to root in a container, and here to who copies them, unless -a is given.`,
		Example: "  davit cp web:/etc/nginx/nginx.conf .\n  davit cp site/. web:/srv/www\n  davit cp web:/var/log - | tar -x\n  tar -c site | davit cp - web:/srv",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return errors.New("give what to copy and where to; see davit cp --help")
			}
			return nil
		},
	}
	cmd.Flags().BoolVarP(&o.keep, "archive", "a", false, "keep the owners of files, as numbers")
	cmd.Flags().BoolVarP(&o.follow, "follow-link", "L", false, "copy what the path to copy leads to if it is a link")
	cmd.Flags().BoolVarP(&o.quiet, "quiet", "q", false, "do not show progress")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		from, source := splitCopyArg(args[0])
		to, target := splitCopyArg(args[1])
		switch {
		case from != "" && to != "":
			return errors.New("both paths are in containers; copy by way of here")
		case from == "" && to == "":
			return errors.New("neither path is in a container; write one as CONTAINER:PATH")
		case from != "":
			return a.copyFrom(cmd.Context(), from, source, target, o)
		}
		return a.copyTo(cmd.Context(), source, to, target, o)
	}
	return cmd
}

// copyOptions are the flags of `davit cp`.
type copyOptions struct{ keep, follow, quiet bool }

// splitCopyArg returns the container and the path of an argument. container is empty for a
// path of here.
func splitCopyArg(arg string) (container, path string) {
	if before, after, ok := strings.Cut(arg, ":"); ok && before != "" && !strings.ContainsAny(before, "/") && before[0] != '.' {
		return before, after
	}
	return "", arg
}

// contents reports whether a path stands for the contents of a directory.
func contents(p string) bool { return p != "" && path.Base(p) == "." }

// followed reports whether a path, as written, means what a link leads to.
func followed(p string) bool { return strings.HasSuffix(p, "/") || contents(p) }

// place is where something is copied to: a directory, and its name there.
type place struct{ dir, name string }

// placeFor returns where something goes that is a directory or not, was written so, and is
// called base. is describes what is at the target, and is nil if that is nothing.
func placeFor(dir bool, written, base, target string, is *api.PathInfo) (place, error) {
	switch {
	case is == nil && !dir && strings.HasSuffix(target, "/"):
		return place{}, fmt.Errorf("there is no directory %s", target)
	case is == nil:
		clean := path.Clean(target)
		return place{path.Dir(clean), path.Base(clean)}, nil
	case is.Type == api.TypeDirectory && dir && contents(written):
		return place{is.Path, "."}, nil
	case is.Type == api.TypeDirectory:
		return place{is.Path, base}, nil
	case dir:
		return place{}, fmt.Errorf("%s is not a directory, so a directory cannot be copied there", target)
	}
	return place{path.Dir(is.Path), path.Base(is.Path)}, nil
}

// copyFrom copies from a container.
func (a *App) copyFrom(ctx context.Context, ref, source, target string, o copyOptions) error {
	client := a.Client()
	follow := o.follow || followed(source)
	if target == "-" {
		if isTerminal(a.Stdout) {
			return errors.New("a tar archive is not written to a terminal; redirect it")
		}
		return client.CopyFrom(ctx, ref, api.CopyFromOptions{Path: source, Follow: follow}, a.Stdout)
	}
	info, err := client.StatPath(ctx, ref, source, follow)
	if err != nil {
		return err
	}
	is, err := describeHere(target, true)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	base := path.Base(path.Clean("/" + source))
	if base == "/" {
		base = "."
	}
	to, err := placeFor(info.Type == api.TypeDirectory, source, base, target, is)
	if err != nil {
		return err
	}
	show := a.progress(o.quiet)
	defer show.done()
	return unpackHere(to.dir, o.keep, func(w io.Writer) error {
		return client.CopyFrom(ctx, ref, api.CopyFromOptions{Path: source, Follow: follow, Name: to.name}, show.writer(w))
	})
}

// copyTo copies to a container.
func (a *App) copyTo(ctx context.Context, source, ref, target string, o copyOptions) error {
	client := a.Client()
	show := a.progress(o.quiet)
	defer show.done()
	if source == "-" {
		if isTerminal(os.Stdin) {
			return errors.New("a tar archive is not read from a terminal; redirect it")
		}
		return client.CopyTo(ctx, ref, api.CopyToOptions{Path: target, KeepOwners: o.keep}, show.reader(os.Stdin))
	}
	follow := o.follow || followed(source)
	info, err := describeHere(source, follow)
	if err != nil {
		return err
	}
	is, err := targetIn(ctx, client, ref, target)
	if err != nil {
		return err
	}
	whole, err := filepath.Abs(source)
	if err != nil {
		return err
	}
	base := filepath.Base(whole)
	if base == "/" {
		base = "."
	}
	to, err := placeFor(info.Type == api.TypeDirectory, source, base, target, is)
	if err != nil {
		return err
	}
	return packHere(source, follow, to.name, func(r io.Reader) error {
		return client.CopyTo(ctx, ref, api.CopyToOptions{Path: to.dir, KeepOwners: o.keep}, show.reader(r))
	})
}

// targetIn describes what is at the target in a container, nil if nothing. Then there is
// the directory that it is to be made in.
func targetIn(ctx context.Context, client *api.Client, ref, target string) (*api.PathInfo, error) {
	is, err := client.StatPath(ctx, ref, target, true)
	if err == nil {
		return &is, nil
	}
	if !errors.Is(err, executor.NotFound) {
		return nil, err
	}
	parent := path.Dir(path.Clean("/" + target))
	if _, perr := client.StatPath(ctx, ref, parent+"/", true); perr != nil {
		return nil, perr
	}
	return nil, nil
}
