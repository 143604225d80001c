package main

import (
	"runtime"
	"syscall"
	"time"
)

// lateness runs what it is given when the server's schedule says that a request which comes now is answered.
type lateness struct {
	delay, stall, every time.Duration
	queue               chan reply
}

type reply struct {
	at   time.Time
	send func()
}

func newLateness(delay, stall, every time.Duration) *lateness {
	l := &lateness{delay, stall, every, make(chan reply, 1<<16)}
	go func() {
		// A later request is never answered earlier, so one queue will do. Go's own timers may be a millisecond late;
		// the kernel's sleep on a thread of our own is not.
		runtime.LockOSThread()
		for next := range l.queue {
			if wait := time.Until(next.at); wait > 0 {
				pause := syscall.NsecToTimespec(int64(wait))
				_ = syscall.Nanosleep(&pause, nil)
			}
			next.send()
		}
	}()
	return l
}

func (l *lateness) answer(send func()) {
	at := time.Now().Add(l.delay)
	if into := time.Duration(at.UnixNano()) % l.every; into < l.stall {
		at = at.Add(l.stall - into)
	}
	l.queue <- reply{at, send}
}
