package host

import (
	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/config"
	"github.com/davit-run/davit/host/diag"
	"github.com/davit-run/davit/shared/executor"
)

// validateTLS checks the files of the API's TLS.
func validateTLS(cfg config.Config) (diags diag.Diagnostics) {
	t := cfg.API.TLS
	if t == nil || cfg.Validate().HasErrors() { // which may be about this
		return nil
	}
	doubts, err := api.TLSFiles{Certificate: t.Certificate, Key: t.Key, CA: t.ClientCA}.CheckHost()
	if err != nil {
		diags.Fail(cfg.At("api", "tls"), "", "api.tls: %s", err)
	}
	for _, doubt := range doubts {
		diags = append(diags, diag.Diagnostic{Severity: executor.SeverityWarning, Range: cfg.At("api", "tls"), Message: "api.tls: " + doubt})
	}
	return diags
}
