package api

import (
	"context"
	"net/http"
)

// Credentials are those of a user of a registry.
type Credentials struct {
	// Registry is its name, with a port if need be; empty is docker.io.
	Registry string `json:"registry,omitempty"`
	User     string `json:"user"`
	Password string `json:"password"`
}

// LoggedIn says where credentials are kept.
type LoggedIn struct {
	Registry string `json:"registry"`
	// PlainIn is the path of the file in which they are as they are; empty if a credential
	// helper keeps them.
	PlainIn string `json:"plain_in,omitempty"`
}

type loginer interface {
	Login(ctx context.Context, creds Credentials) (LoggedIn, error)
}

var loginRoute = define(route[loginer, Credentials, LoggedIn]{
	Name:      "Login",
	Method:    http.MethodPost,
	Path:      "/v1/registries/login",
	Doc:       "checks credentials with a registry, and keeps them for the host's user",
	NeedsBody: true,
	Serve:     func(ctx context.Context, h loginer, r *Credentials) (LoggedIn, error) { return h.Login(ctx, *r) },
})

// Login checks credentials with a registry, and keeps them for the host's user.
func (c *Client) Login(ctx context.Context, creds Credentials) (LoggedIn, error) {
	return loginRoute.call(ctx, c, creds)
}

type logoutRequest struct {
	Registry string `json:"registry,omitempty"`
}

type logouter interface {
	Logout(ctx context.Context, registry string) (string, error)
}

var logoutRoute = define(route[logouter, logoutRequest, logoutRequest]{
	Name:   "Logout",
	Method: http.MethodPost,
	Path:   "/v1/registries/logout",
	Doc:    "forgets the credentials of the host's user for a registry",
	Serve: func(ctx context.Context, h logouter, r *logoutRequest) (logoutRequest, error) {
		registry, err := h.Logout(ctx, r.Registry)
		return logoutRequest{registry}, err
	},
})

// Logout forgets the credentials of the host's user for a registry, and returns which one
// that is.
func (c *Client) Logout(ctx context.Context, registry string) (string, error) {
	reply, err := logoutRoute.call(ctx, c, logoutRequest{registry})
	return reply.Registry, err
}
