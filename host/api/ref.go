package api

// refRequest is a request with the reference of a container and nothing else.
type refRequest struct {
	// Ref is an id, the beginning of one, or a name.
	Ref string `path:"ref" json:"-"`
}

// backendRequest is a request with the name of a backend and nothing else.
type backendRequest struct {
	Name string `path:"name" json:"-"`
}
