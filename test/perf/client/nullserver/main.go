// A server that answers inference requests with as little work as possible, so that whatever is measured against it is
// the client. It looks at no more of a request than the name of the model, and its replies are encoded before it starts.
//
// It speaks gRPC (plain HTTP/2) on one port and REST (HTTP/1.1) on another, both of the Open Inference Protocol V2, and
// prints {"grpc": PORT, "rest": PORT} once it listens. A line on standard input makes it print how many requests it has
// answered so far; at the end of standard input it ends, so it cannot outlive whoever started it.
//
// With -delay and -stall it is a server whose latencies are known in advance: a request is answered -delay after it has
// come, except that nothing is answered in the first -stall of every -every by the machine's clock, -offset after the epoch.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"sync/atomic"
	"time"
)

var answered atomic.Int64

func main() {
	delay := flag.Duration("delay", 0, "time a request takes")
	stall := flag.Duration("stall", 0, "time at the start of each period in which nothing is answered")
	every := flag.Duration("every", 10*time.Second, "length of a period")
	offset := flag.Duration("offset", 0, "time from the epoch to the start of a period")
	flag.Parse()

	var late *lateness
	if *delay > 0 || *stall > 0 {
		late = newLateness(*delay, *stall, *every, *offset)
	}
	grpc := serve(func(c net.Conn) { serveHTTP2(c, late) })
	rest := serve(func(c net.Conn) { serveHTTP1(c, late) })
	fmt.Printf("{\"grpc\":%d,\"rest\":%d}\n", grpc, rest)
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		fmt.Println(answered.Load())
	}
}

// serve listens on a free port of the loopback interface and handles every connection in a goroutine of its own.
func serve(handle func(net.Conn)) int {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				log.Fatal(err)
			}
			go func() {
				defer c.Close()
				handle(c)
			}()
		}
	}()
	return listener.Addr().(*net.TCPAddr).Port
}
