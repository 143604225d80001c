package main

import (
	"runtime"
	"syscall"
	"time"
)

// The kernel wakes a sleeper some tenths of a millisecond late; the rest of a wait is spent awake.
const awake = 500 * time.Microsecond

// lateness sends replies when the server's schedule says so.
type lateness struct {
	delay, stall, every, offset time.Duration
	queue                       chan reply
}

type reply struct {
	at   time.Time
	to   sender
	send func()
}

// sender collects what is sent to it until it is flushed.
type sender interface{ flush() error }

func newLateness(delay, stall, every, offset time.Duration) *lateness {
	l := &lateness{delay, stall, every, offset, make(chan reply, 1<<16)}
	runtime.GOMAXPROCS(4) // else nobody reads while the sender sleeps in the kernel
	go l.run()
	return l
}

// A later request is never answered earlier, so one queue will do. What is due together is written together: after a
// stall, a hundred system calls would make the last reply milliseconds late.
func (l *lateness) run() {
	runtime.LockOSThread()
	unflushed := map[sender]bool{}
	for next := range l.queue {
		if time.Until(next.at) > 0 {
			for to := range unflushed {
				_ = to.flush()
			}
			clear(unflushed)
		}
		if wait := time.Until(next.at) - awake; wait > 0 {
			pause := syscall.NsecToTimespec(int64(wait))
			_ = syscall.Nanosleep(&pause, nil)
		}
		for time.Until(next.at) > 0 {
		}
		next.send()
		unflushed[next.to] = true
		if len(l.queue) == 0 {
			for to := range unflushed {
				_ = to.flush()
			}
			clear(unflushed)
		}
	}
}

func (l *lateness) answer(to sender, send func()) {
	at := time.Now().Add(l.delay)
	if into := (time.Duration(at.UnixNano()) - l.offset) % l.every; into < l.stall {
		at = at.Add(l.stall - into)
	}
	l.queue <- reply{at, to, send}
}
