package main

import (
	"bufio"
	"encoding/binary"
	"io"
	"math"
	"net"
	"sync"
)

const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// Frame types and flags of RFC 9113.
const (
	frameData, frameHeaders, frameReset, frameSettings, framePing, frameGoAway, frameWindow = 0, 1, 3, 4, 6, 7, 8

	flagEndStream, flagAck, flagEndHeaders, flagPadded = 1, 1, 4, 8
)

const (
	frameHeader    = 9
	initialWindow  = 65_535
	largestWindow  = math.MaxInt32
	topUpFrom      = 1 << 30
	maxModelPrefix = 64
)

// Header blocks that need no state: every field is indexed in the static table or a literal that is not added.
var (
	headersOK = append([]byte{0x88, 0x0f, 0x10, 16}, "application/grpc"...) // :status 200, content-type
	trailers0 = append(append([]byte{0, 11}, "grpc-status"...), 1, '0')
)

// answer is a whole reply in HTTP/2 frames, complete but for the number of its stream.
type answer struct {
	frames  []byte
	streams []int // where the number goes
	window  int   // bytes of flow control it takes
}

func newAnswer(message []byte) *answer {
	body := binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message)))
	body = append(body, message...)
	a := &answer{window: len(body)}
	a.add(frameHeaders, flagEndHeaders, headersOK)
	a.add(frameData, 0, body)
	a.add(frameHeaders, flagEndHeaders|flagEndStream, trailers0)
	return a
}

func (a *answer) add(kind, flags byte, payload []byte) {
	a.streams = append(a.streams, len(a.frames)+5)
	a.frames = appendFrame(a.frames, kind, flags, 0, payload)
}

func appendFrame(to []byte, kind, flags byte, stream uint32, payload []byte) []byte {
	n := len(payload)
	to = append(to, byte(n>>16), byte(n>>8), byte(n), kind, flags)
	return append(binary.BigEndian.AppendUint32(to, stream), payload...)
}

var (
	grpcLive  = newAnswer([]byte{8, 1}) // ServerLiveResponse: live = true
	grpcTiny  = newAnswer(inferResponse(tinyModel, scores(2)))
	grpcLarge = newAnswer(inferResponse("any", scores(1000)))
)

// connection answers every stream by the beginning of its message, without looking at its headers: no message is
// ServerLive, anything else is ModelInfer, whose first field is the name of the model.
type connection struct {
	net.Conn
	in *bufio.Reader

	lock    sync.Mutex // replies may come later, from another goroutine
	out     []byte
	window  int // what the client still accepts
	waiting []waiting
}

type waiting struct {
	stream uint32
	answer *answer
}

func serveHTTP2(c net.Conn, late *lateness) {
	conn := &connection{Conn: c, in: bufio.NewReaderSize(c, 256<<10), window: initialWindow}
	if start, err := conn.in.Peek(len(preface)); err != nil || string(start) != preface {
		return
	}
	_, _ = conn.in.Discard(len(preface))
	// Windows as large as they can be: what a client sends never waits for us.
	var settings []byte
	for id, value := range map[uint16]uint32{3: 1 << 20, 4: largestWindow} { // streams at once, window of a stream
		settings = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint16(settings, id), value)
	}
	conn.out = appendFrame(conn.out, frameSettings, 0, 0, settings)
	conn.openWindow(largestWindow - initialWindow)

	models := map[uint32]*answer{} // streams whose message has begun
	received := 0
	for {
		if conn.in.Buffered() < frameHeader && conn.flush() != nil {
			return
		}
		head, err := conn.in.Peek(frameHeader)
		if err != nil {
			return
		}
		length := int(head[0])<<16 | int(head[1])<<8 | int(head[2])
		kind, flags := head[3], head[4]
		stream := binary.BigEndian.Uint32(head[5:]) & math.MaxInt32
		_, _ = conn.in.Discard(frameHeader)
		if conn.in.Buffered() < length && conn.flush() != nil { // replies do not wait for the rest of a frame
			return
		}
		rest := length
		ended := false
		switch kind {
		case frameHeaders:
			ended = flags&flagEndStream != 0
		case frameData:
			ended = flags&flagEndStream != 0
			if received += length; received >= topUpFrom {
				conn.openWindow(received)
				received = 0
			}
			if models[stream] == nil && length > 0 {
				start, err := conn.in.Peek(min(length, maxModelPrefix))
				if err != nil {
					return
				}
				if flags&flagPadded != 0 {
					start = start[1:]
				}
				if found := answerFor(start); found != nil {
					models[stream] = found
				}
			}
		case frameReset:
			delete(models, stream)
		case frameGoAway:
			return
		case frameSettings, framePing:
			payload := make([]byte, length)
			if _, err := io.ReadFull(conn.in, payload); err != nil {
				return
			}
			rest = 0
			if flags&flagAck == 0 {
				if kind == frameSettings {
					payload = nil
				}
				conn.write(kind, flagAck, payload)
			}
		case frameWindow:
			payload, err := conn.in.Peek(4)
			if err != nil {
				return
			}
			if stream == 0 {
				conn.mayAnswer(int(binary.BigEndian.Uint32(payload) & math.MaxInt32))
			}
		}
		if _, err := conn.in.Discard(rest); err != nil {
			return
		}
		if ended {
			found := models[stream]
			if found == nil {
				found = grpcLive
			} else {
				delete(models, stream)
			}
			answered.Add(1)
			if late == nil {
				conn.answer(stream, found)
			} else {
				late.answer(conn, func() { conn.answer(stream, found) })
			}
		}
	}
}

// answerFor tells the model from the first bytes of a gRPC message; nil if there is none.
func answerFor(start []byte) *answer {
	if len(start) < 7 || start[5] != 1<<3|2 { // five bytes of gRPC, then field 1, a string
		return nil
	}
	if start = start[6:]; int(start[0]) == len(tinyModel) && len(start) > len(tinyModel) && string(start[1:1+len(tinyModel)]) == tinyModel {
		return grpcTiny
	}
	return grpcLarge
}

func (c *connection) answer(stream uint32, a *answer) {
	c.lock.Lock()
	defer c.lock.Unlock()
	if len(c.waiting) > 0 || c.window < a.window {
		c.waiting = append(c.waiting, waiting{stream, a})
		return
	}
	c.append(stream, a)
}

func (c *connection) append(stream uint32, a *answer) {
	c.window -= a.window
	start := len(c.out)
	c.out = append(c.out, a.frames...)
	for _, at := range a.streams {
		binary.BigEndian.PutUint32(c.out[start+at:], stream)
	}
}

// mayAnswer takes note that the client accepts more.
func (c *connection) mayAnswer(more int) {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.window += more
	for len(c.waiting) > 0 && c.window >= c.waiting[0].answer.window {
		c.append(c.waiting[0].stream, c.waiting[0].answer)
		c.waiting = c.waiting[1:]
	}
}

func (c *connection) openWindow(by int) {
	c.write(frameWindow, 0, binary.BigEndian.AppendUint32(nil, uint32(by)))
}

func (c *connection) write(kind, flags byte, payload []byte) {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.out = appendFrame(c.out, kind, flags, 0, payload)
}

func (c *connection) flush() error {
	c.lock.Lock()
	defer c.lock.Unlock()
	if len(c.out) == 0 {
		return nil
	}
	_, err := c.Write(c.out)
	c.out = c.out[:0]
	return err
}
