package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/shared/executor"
	"github.com/spf13/cobra"
)

var _ = Command(Images, 15, (*App).pullCommand)

func (a *App) pullCommand() *cobra.Command {
	var opts api.PullOptions
	var quiet bool
	cmd := &cobra.Command{
		Use:   "pull [flags] NAME[:TAG|@DIGEST]",
		Short: "Fetch an image from a registry",
		Long: `Fetch an image from a registry, and print its name. Short names are completed as docker
does: busybox is docker.io/library/busybox:latest. Credentials are those of docker's
config.json of the host's user. Registries on this machine are asked without TLS.

What a pull that was interrupted has fetched is kept for a day, and the next one goes on
with it.`,
		Example: "  davit pull busybox\n  davit pull registry.example:5000/team/app:v1 --platform linux/arm64",
		Args:    cobra.ExactArgs(1),
	}
	cmd.Flags().StringVar(&opts.Platform, "platform", "", "`PLATFORM` of images for several, such as linux/arm64 (default: the host's)")
	cmd.Flags().BoolVarP(&quiet, "quiet", "q", false, "do not show progress")
	a.patienceFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		image, err := a.pull(cmd.Context(), args[0], opts, quiet)
		if err == nil {
			fmt.Fprintln(a.Stdout, Printable(nameOf(image)))
		}
		return err
	}
	return cmd
}

func (a *App) pull(ctx context.Context, name string, opts api.PullOptions, quiet bool) (api.Image, error) {
	shown := a.imageProgress(quiet)
	defer shown.done()
	return a.Client().PullImage(ctx, name, opts, shown.show)
}

// When davit run pulls an image.
const (
	pullMissing = "missing"
	pullAlways  = "always"
	pullNever   = "never"
)

// pullPolicy is the value of --pull.
type pullPolicy string

// Type implements pflag.Value.
func (p *pullPolicy) Type() string { return "string" }

// String implements pflag.Value.
func (p *pullPolicy) String() string { return string(*p) }

// Set implements pflag.Value.
func (p *pullPolicy) Set(s string) error {
	if s != pullMissing && s != pullAlways && s != pullNever {
		return fmt.Errorf("use %s, %s or %s", pullMissing, pullAlways, pullNever)
	}
	*p = pullPolicy(s)
	return nil
}

// pullFor pulls the image of a container, if there is one and the flags say so. set reports
// whether a flag was given.
func (a *App) pullFor(ctx context.Context, o api.ContainerOptions, f *runFlags, set func(name string) bool) error {
	if o.Image == "" {
		return nil
	}
	if o.ImageStore == api.ImageStoreBackend {
		return noPull(o.Backend, set)
	}
	err := error(executor.NotFound)
	if f.pull != pullAlways {
		_, err = a.Client().InspectImage(ctx, o.Image)
	}
	if errors.Is(err, executor.NotFound) && f.pull != pullNever {
		if name, on := a.bringsImages(ctx, o); on {
			return noPull(name, set)
		}
		_, err = a.pull(ctx, o.Image, api.PullOptions{Platform: f.platform}, f.quiet)
	} else if err != nil {
		if _, on := a.bringsImages(ctx, o); on {
			return nil
		}
	}
	if code := executor.CodeOf(err); (code == executor.NotFound || code == executor.Unavailable) && !api.Unreachable(err) { // the commonest mistake
		err = fmt.Errorf("%w; %q is taken for an image: to run it as a command, give --rootfs DIR before it", err, o.Image)
	}
	return err
}

// bringsImages reports whether the config says that the image of a container is one that its
// backend has, and returns the backend.
func (a *App) bringsImages(ctx context.Context, o api.ContainerOptions) (backend string, on bool) {
	if o.ImageStore != "" {
		return "", false
	}
	all, err := a.Client().Backends(ctx)
	if err != nil {
		return "", false // which the next call says, too
	}
	for _, b := range all {
		if b.Name == o.Backend || o.Backend == "" && b.Default {
			return b.Name, b.ImageStore == api.ImageStoreBackend
		}
	}
	return "", false
}

// noPull refuses the flags of pulls for an image that a backend has.
func noPull(backend string, set func(name string) bool) error {
	of := "the backend"
	if backend != "" {
		of = "backend " + backend
	}
	for _, name := range []string{"pull", "platform"} {
		if set(name) {
			return fmt.Errorf("--%s is about davit's own image store, and this image is to come from that of %s, into which davit does not pull: leave --%s out, and use the backend's own tool, such as ctr images pull", name, of, name)
		}
	}
	return nil
}
