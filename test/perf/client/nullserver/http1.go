package main

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"strconv"
)

func response(body []byte) []byte {
	return fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

var (
	http1Empty = response(nil)
	http1Tiny  = response(inferJSON(tinyModel, scores(2)))
	http1Large = response(inferJSON("any", scores(1000)))
)

// written is a reply over HTTP/1.1, of which a connection has one at a time.
type written struct {
	to     net.Conn
	answer []byte
	done   chan error
}

func (w *written) flush() error {
	_, err := w.to.Write(w.answer)
	w.done <- err
	return err
}

// serveHTTP1 answers every POST as an inference and everything else with 200 and no body.
func serveHTTP1(c net.Conn, late *lateness) {
	in := bufio.NewReaderSize(c, 256<<10)
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return
		}
		answer := http1Empty
		if bytes.HasPrefix(line, []byte("POST ")) {
			answer = http1Large
			if bytes.Contains(line, []byte("/"+tinyModel+"/")) {
				answer = http1Tiny
			}
		}
		length, ok := skipHeaders(in)
		if !ok {
			return
		}
		if _, err := in.Discard(length); err != nil {
			return
		}
		answered.Add(1)
		if late == nil {
			_, err = c.Write(answer)
		} else {
			later := &written{c, answer, make(chan error, 1)}
			late.answer(later, func() {})
			err = <-later.done
		}
		if err != nil {
			return
		}
	}
}

// skipHeaders reads to the end of the headers and returns the length of the body that follows.
func skipHeaders(in *bufio.Reader) (length int, ok bool) {
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return 0, false
		}
		if len(line) <= 2 {
			return length, true
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		if len(name) == len("content-length") && bytes.EqualFold(name, []byte("content-length")) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return 0, false
			}
		}
	}
}
