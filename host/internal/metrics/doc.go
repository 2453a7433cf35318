// Package metrics measures a host, and tells Prometheus.
//
// A [Metrics] is the [host.Observer] of its host: it counts what the host tells it. What
// containers use, and what there is of them and of backends, it asks for when somebody
// scrapes, and keeps nothing of it: between scrapes it costs nothing. All metrics are
// described in host/cmd/davit/metrics.md; a test compares.
//
// # Rationale
//
// Why do the layers of the host not know Prometheus? Programs that embed the host have their
// own ways to measure. They get the same calls, by host.Options.
//
// Why is there no global registry? A program may have several hosts, and tests have.
//
// Why is a backend that hangs no reason to wait? A scrape that takes too long fails as a
// whole: the one backend would take the figures of all others away, just when they are wanted.
// So each container is asked for a bounded time. What is not known by then is left out, and
// davit_scrape_errors says of how many containers.
//
// Why have resources the names of cAdvisor? Dashboards and alerts for them exist.
package metrics
