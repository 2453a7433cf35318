package api

const (
	// idDigits is how many hexadecimal digits the id of a container has, as in docker. Older
	// hosts have made ids of 16.
	idDigits = 64
	// shortDigits is how many of them are shown to people.
	shortDigits = 12
)

// ShortID returns the beginning of a container's id that is shown to people, and is the
// container's host name: the first 12 of 64 digits. Other ids are returned whole.
func ShortID(id string) string {
	if len(id) != idDigits {
		return id
	}
	return id[:shortDigits]
}
