package cni

import (
	"fmt"
	"net/netip"

	"github.com/containernetworking/cni/pkg/types"
	types100 "github.com/containernetworking/cni/pkg/types/100"
)

// Result is what plugins have made.
type Result struct {
	// Addresses are those of the namespace, with the lengths of their subnets.
	Addresses []netip.Prefix
	// Gateway is that of the first address that has one.
	Gateway netip.Addr
	// Servers are addresses of name servers; Search and Options are those of resolv.conf.
	Servers, Search, Options []string
	// Kept is what Del and Check want to know. It is not for anybody else.
	Kept []byte
}

// resultOf returns a result in words of our own.
func resultOf(made types.Result, kept []byte) (*Result, error) {
	if made == nil { // of a list whose plugins print none
		return &Result{Kept: kept}, nil
	}
	now, err := types100.GetResult(made)
	if err != nil {
		return nil, fmt.Errorf("the result of the plugins: %w", err)
	}
	r := &Result{Servers: now.DNS.Nameservers, Search: now.DNS.Search, Options: now.DNS.Options, Kept: kept}
	if now.DNS.Domain != "" && len(r.Search) == 0 {
		r.Search = []string{now.DNS.Domain}
	}
	for _, ip := range now.IPs {
		if ip == nil || !within(now, ip) {
			continue
		}
		address, ok := netip.AddrFromSlice(ip.Address.IP)
		bits, _ := ip.Address.Mask.Size()
		if !ok {
			return nil, fmt.Errorf("the result of the plugins has the address %q", ip.Address.String())
		}
		r.Addresses = append(r.Addresses, netip.PrefixFrom(address.Unmap(), bits))
		if gateway, ok := netip.AddrFromSlice(ip.Gateway); ok && !r.Gateway.IsValid() {
			r.Gateway = gateway.Unmap()
		}
	}
	return r, nil
}

// within reports whether an address is that of a link in the namespace. One of which the result
// does not say so is.
func within(r *types100.Result, ip *types100.IPConfig) bool {
	if ip.Interface == nil || *ip.Interface < 0 || *ip.Interface >= len(r.Interfaces) {
		return true
	}
	link := r.Interfaces[*ip.Interface]
	return link == nil || link.Sandbox != ""
}
