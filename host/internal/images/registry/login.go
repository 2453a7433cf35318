package registry

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/davit-run/davit/shared/executor"
	"github.com/distribution/reference"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/credentials"
)

// Host returns the registry that a user means: docker.io if it is "". What docker login
// takes for it may be a URL.
func Host(name string) (string, error) {
	host := name
	for _, scheme := range []string{"https://", "http://"} {
		host = strings.TrimPrefix(host, scheme)
	}
	host, _, _ = strings.Cut(host, "/")
	switch host {
	case "", "index.docker.io", dockerHost:
		return "docker.io", nil
	}
	// One that no name of an image can begin with is of no use.
	if named, err := reference.ParseNormalizedNamed(host + "/x"); err != nil || reference.Domain(named) != host {
		return "", executor.Errorf(executor.Invalid, "%q is not the name of a registry; names look like docker.io or registry.example:5000", name)
	}
	return host, nil
}

// Login checks the credentials of a user with a registry, and keeps them: in docker's
// config.json, or by the helper that it names for that. plain is the path of the file if
// they are there as they are.
func Login(ctx context.Context, host, user, password string) (plain string, err error) {
	named, err := reference.WithName(host + "/login") // of no matter
	if err != nil {
		return "", executor.Errorf(executor.Invalid, "registry %s: %w", host, err)
	}
	r, err := Open(named)
	if err != nil {
		return "", err
	}
	cred := auth.Credential{Username: user, Password: password}
	r.client.Credential = auth.StaticCredential(r.host, cred)
	ctx, cancel := context.WithTimeout(ctx, 2*r.stall)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(r.base, r.name), nil)
	if err != nil {
		return "", executor.Errorf(executor.Invalid, "registry %s: %w", host, err)
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return "", r.explain(ctx, err)
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusUnauthorized, http.StatusForbidden:
		return "", executor.Errorf(executor.FailedPrecondition, "registry %s: it does not accept that user and password%s", host, reason(resp.Body))
	default:
		return "", executor.Errorf(executor.Unavailable, "registry %s: it answers %s", host, resp.Status)
	}
	address := credentials.ServerAddressFromRegistry(host)
	store, err := openCredentials(credentials.StoreOptions{})
	if err != nil {
		return "", err
	}
	err = store.Put(ctx, address, cred)
	if errors.Is(err, credentials.ErrPlaintextPutDisabled) { // no helper is named
		if store, err = openCredentials(credentials.StoreOptions{AllowPlaintextPut: true}); err != nil {
			return "", err
		}
		plain = store.ConfigPath()
		err = store.Put(ctx, address, cred)
	}
	if err != nil {
		return "", executor.Errorf(executor.FailedPrecondition, "the credentials for registry %s are not kept: %w", host, err)
	}
	return plain, nil
}

// Logout forgets the credentials for a registry. The error is NotFound if there are none.
func Logout(ctx context.Context, host string) error {
	store, err := openCredentials(credentials.StoreOptions{})
	if err != nil {
		return err
	}
	address := credentials.ServerAddressFromRegistry(host)
	cred, err := store.Get(ctx, address)
	if err == nil && cred == auth.EmptyCredential {
		return executor.Errorf(executor.NotFound, "the host's user is not logged in to registry %s", host)
	}
	if err == nil {
		err = store.Delete(ctx, address)
	}
	if err != nil {
		return executor.Errorf(executor.FailedPrecondition, "the credentials for registry %s: %w", host, err)
	}
	return nil
}

// openCredentials opens where docker keeps credentials.
func openCredentials(opts credentials.StoreOptions) (*credentials.DynamicStore, error) {
	store, err := credentials.NewStoreFromDocker(opts)
	if err != nil {
		return nil, executor.Errorf(executor.FailedPrecondition, "docker's config.json, for credentials: %w", err)
	}
	return store, nil
}
