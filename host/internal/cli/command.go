package cli

import (
	"cmp"
	"slices"

	"github.com/spf13/cobra"
)

// Groups of commands, in the order in which help lists them.
const (
	Containers Group = "containers"
	Images     Group = "images"
	Host       Group = "host"
	Executors  Group = "executors"
	// Hidden commands are not listed.
	Hidden Group = ""
)

// Group is a group of commands in help.
type Group string

// command is an entry of the table.
type command struct {
	group Group
	place int
	make  func(*App) *cobra.Command
}

// commands has all commands that the program links. It is complete after the
// initialization of its packages.
var commands []command

// Command adds a command to the table. Its result is for a variable of the package:
//
//	var _ = cli.Command(cli.Containers, 75, pauseCommand)
//
// Help lists the commands of a group by their places.
func Command(group Group, place int, build func(*App) *cobra.Command) bool {
	commands = append(commands, command{group, place, build})
	return true
}

// addCommands adds all commands to the root.
func (a *App) addCommands(root *cobra.Command) {
	root.AddGroup(&cobra.Group{ID: string(Containers), Title: "Containers:"}, &cobra.Group{ID: string(Images), Title: "Images:"}, &cobra.Group{ID: string(Host), Title: "Host:"}, &cobra.Group{ID: string(Executors), Title: "Executors:"})
	byPlace := func(a, b command) int { return cmp.Compare(a.place, b.place) }
	for _, c := range slices.SortedStableFunc(slices.Values(commands), byPlace) {
		made := c.make(a)
		made.GroupID = string(c.group)
		root.AddCommand(made)
	}
	root.SetCompletionCommandGroupID(string(Host))
}
