package storm

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strings"
	"time"
)

// useAlways uses a container that stays, at its address and at its port, for as long as until
// lasts. It always answers, and at its port soon after its holder has been killed.
func (s *storm) useAlways(until context.Context, l *life) {
	direct, published := net.JoinHostPort(l.net.address, fmt.Sprint(insidePort)), net.JoinHostPort("127.0.0.1", fmt.Sprint(l.net.port))
	answered := time.Now()
	for pause(until, 20*time.Millisecond) {
		if err := s.asks(direct, l); err != nil && until.Err() == nil {
			s.report.bad(unanswered, "%v at its address %s: %v", l, direct, err)
			return
		}
		begin := time.Now()
		err := s.asks(published, l)
		if err == nil {
			if gap := begin.Sub(answered); gap > 500*time.Millisecond {
				s.report.took("port without a holder", gap)
			}
			answered = begin
			s.report.count("answers at published ports", 1)
			continue
		}
		if !s.excused(answered) && until.Err() == nil {
			s.report.bad(unanswered, "%v at its port %s, for %s: %v", l, published, time.Since(answered).Round(time.Millisecond), err)
			return
		}
	}
}

// holderTime is how long a port may be without its holder, with the host killed as well, and
// again.
const holderTime = time.Minute

// answersAgain wants a container that was restarted to answer at its port.
func (s *storm) answersAgain(until context.Context, l *life) {
	published := net.JoinHostPort("127.0.0.1", fmt.Sprint(l.net.port))
	begin := time.Now()
	for {
		err := s.asks(published, l)
		if err == nil || !pause(until, 20*time.Millisecond) {
			return
		}
		if time.Since(begin) > holderTime {
			s.report.bad(unanswered, "%v was restarted, at its port %s: %v", l, published, err)
			return
		}
	}
}

// asks wants the answer of a container at an address of the machine.
func (s *storm) asks(address string, l *life) error {
	return s.site.net.within(func() error {
		const most = 20 * time.Second // on a busy machine
		conn, err := net.DialTimeout("tcp4", address, most)
		if err != nil {
			return err
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(most))
		got, err := bufio.NewReader(conn).ReadString('\n')
		if got = strings.TrimSpace(got); err == nil && got != l.dir {
			err = fmt.Errorf("the container of %s answers", got)
		}
		return err
	})
}
