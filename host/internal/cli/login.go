package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/davit-run/davit/host/api"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

var (
	_ = Command(Images, 60, (*App).loginCommand)
	_ = Command(Images, 61, (*App).logoutCommand)
)

func (a *App) loginCommand() *cobra.Command {
	var creds api.Credentials
	var fromStdin bool
	cmd := &cobra.Command{
		Use:   "login [flags] [REGISTRY]",
		Short: "Log in to a registry",
		Long: `Log in to a registry, docker.io if none is given. The host checks the user and the
password with it, and keeps them where pull and push find them: in docker's config.json
of the user that the host runs as ($DOCKER_CONFIG or ~/.docker), or by the credential
helper that is named there. Without a helper they are readable in that file.`,
		Example: "  davit login registry.example:5000\n  davit login -u me --password-stdin registry.example < password",
		Args:    AtMost(1),
	}
	cmd.Flags().StringVarP(&creds.User, "username", "u", "", "`USER` (default: ask for it)")
	cmd.Flags().BoolVar(&fromStdin, "password-stdin", false, "read the password from stdin, instead of asking for it")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		creds.Registry = strings.Join(args, "")
		var err error
		if fromStdin {
			creds.Password, err = a.givenPassword(creds.User)
		} else {
			err = a.ask(&creds)
		}
		if err != nil {
			return err
		}
		done, err := a.Client().Login(cmd.Context(), creds)
		if err != nil {
			return err
		}
		if done.PlainIn != "" {
			fmt.Fprintf(a.Stderr, "the password is readable in %s; a credential helper of docker's keeps it better\n", done.PlainIn)
		}
		fmt.Fprintln(a.Stdout, "Login Succeeded")
		return nil
	}
	return cmd
}

// maxPassword is the longest password, in bytes. Tokens are some kilobytes.
const maxPassword = 64 << 10

// givenPassword reads the password of a user from stdin.
func (a *App) givenPassword(user string) (string, error) {
	if user == "" {
		return "", errors.New("--password-stdin needs a user; give it with -u")
	}
	if a.Stdin == nil {
		return "", errors.New("there is no stdin to read the password from")
	}
	text, err := io.ReadAll(io.LimitReader(a.Stdin, maxPassword+1))
	if err == nil && len(text) > maxPassword {
		err = fmt.Errorf("the password has more than %d bytes", maxPassword)
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r"), err
}

// ask asks for what is missing of credentials.
func (a *App) ask(creds *api.Credentials) error {
	t, ok := terminalOf(a.Stdin)
	if !ok {
		return errors.New("stdin is no terminal, so nobody can be asked for a password; use -u and --password-stdin")
	}
	if creds.User == "" {
		fmt.Fprint(a.Stderr, "Username: ")
		line, err := bufio.NewReader(t.in).ReadString('\n')
		if err != nil {
			return err
		}
		creds.User = strings.TrimSpace(line)
	}
	fmt.Fprint(a.Stderr, "Password: ")
	secret, err := term.ReadPassword(int(t.in.Fd()))
	fmt.Fprintln(a.Stderr)
	creds.Password = string(secret)
	return err
}

func (a *App) logoutCommand() *cobra.Command {
	return &cobra.Command{
		Use:                   "logout [REGISTRY]",
		DisableFlagsInUseLine: true,
		Short:                 "Log out from a registry",
		Long: `Log out from a registry, docker.io if none is given: the host forgets the credentials
that davit login, or docker login of its user, has left.`,
		Example: "  davit logout registry.example:5000",
		Args:    AtMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			registry, err := a.Client().Logout(cmd.Context(), strings.Join(args, ""))
			if err == nil {
				fmt.Fprintln(a.Stdout, "Removing login credentials for "+registry)
			}
			return err
		},
	}
}
