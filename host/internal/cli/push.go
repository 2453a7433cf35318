package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

var _ = Command(Images, 37, (*App).pushCommand)

func (a *App) pushCommand() *cobra.Command {
	var quiet bool
	cmd := &cobra.Command{
		Use:   "push [flags] NAME[:TAG]",
		Short: "Send an image to a registry",
		Long: `Send an image to the registry of its name, and print the tag and the digest that it has
there. What the registry has is not sent again; what another of its repositories has, it
is asked to take from there. Credentials are those of docker's config.json of the host's
user. Registries on this machine are asked without TLS.`,
		Example: "  davit tag app registry.example:5000/team/app:v1; davit push registry.example:5000/team/app:v1",
		Args:    cobra.ExactArgs(1),
	}
	cmd.ValidArgsFunction = a.completion(imageNames, false)
	cmd.Flags().BoolVarP(&quiet, "quiet", "q", false, "do not show progress, and print only the name")
	a.patienceFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		shown := a.imageProgress(quiet)
		image, err := a.Client().PushImage(cmd.Context(), args[0], shown.show)
		shown.done()
		switch {
		case err != nil:
			return err
		case quiet:
			fmt.Fprintln(a.Stdout, args[0])
		default:
			fmt.Fprintf(a.Stdout, "%s: digest: %s\n", tagOf(args[0]), image.Digest)
		}
		return nil
	}
	return cmd
}

// tagOf returns the tag in a name of an image. Without one it is latest.
func tagOf(name string) string {
	if i := strings.LastIndexAny(name, ":/"); i >= 0 && name[i] == ':' {
		return name[i+1:]
	}
	return "latest"
}
