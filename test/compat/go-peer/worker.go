package main

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"net"
	"net/rpc"
	"os"
	"sync"
	"time"
)

// worker is one worker of a collector: it keeps what is not acknowledged, and sends that again when it is asked (-4), and only then.
type worker struct {
	shard   uint32
	unacked [][]byte
	send    func(*TMessage) int64
}

func (w *worker) message(tag uint32, logs [][]byte) *TMessage {
	message := &TMessage{Tag: tag | 0x100, Shard: w.shard, RawLogs: logs}
	for _, log := range logs {
		message.Checksum ^= crc32.ChecksumIEEE(log)
	}
	return message
}

// transfer sends a batch until it is taken.
func (w *worker) transfer(batch [][]byte) {
	wantsAll := false
	for {
		isBatch := !wantsAll
		message := w.message(0, batch)
		if wantsAll {
			message = w.message(1, w.unacked)
		}
		reply := w.send(message)
		if reply >= 0 {
			if isBatch {
				w.unacked = append(w.unacked, batch...)
				w.purge(reply)
				return
			}
			wantsAll = false
			w.purge(reply)
			continue
		}
		if reply == -4 {
			wantsAll = true
		}
		// The real one does not pause here.
		time.Sleep(time.Millisecond)
	}
}

func (w *worker) probe() {
	if reply := w.send(w.message(0x10, nil)); reply > 0 {
		w.purge(reply)
	}
}

func (w *worker) purge(ack int64) {
	for len(w.unacked) > 0 && timestampOf(w.unacked[0]) <= ack {
		w.unacked = w.unacked[1:]
	}
}

// rpcSender calls over one connection, and makes another after a failure.
func rpcSender(port int) func(*TMessage) int64 {
	var client *rpc.Client
	return func(message *TMessage) int64 {
		if client == nil {
			var err error
			if client, err = rpc.Dial("tcp", address(port)); err != nil {
				client = nil
				time.Sleep(300 * time.Millisecond)
				return -2
			}
		}
		var reply int64
		if client.Call("TunnelRPC.Transfer", message, &reply) != nil {
			client.Close()
			client = nil
			return -1
		}
		return reply
	}
}

// tcpSender writes to one port, and returns what was last heard at the next one.
func tcpSender(port int) func(*TMessage) int64 {
	var mutex sync.Mutex
	var ack int64
	var transfer net.Conn
	go func() {
		for ; ; time.Sleep(time.Second) {
			acks, err := net.Dial("tcp", address(port+1))
			for err == nil {
				if _, err = acks.Write(packet(1, nil)); err != nil {
					break
				}
				kind, payload := readPacket(acks)
				if kind == 0 {
					break
				}
				mutex.Lock()
				ack = int64(binary.BigEndian.Uint64(payload))
				mutex.Unlock()
				time.Sleep(time.Second)
			}
		}
	}()
	return func(message *TMessage) int64 {
		if transfer == nil {
			connection, err := net.Dial("tcp", address(port))
			if err != nil {
				time.Sleep(300 * time.Millisecond)
				return -2
			}
			connection.(*net.TCPConn).SetLinger(0)
			transfer = connection
		}
		if _, err := transfer.Write(packet(2, encode(message))); err != nil {
			transfer.Close()
			transfer = nil
			return -2
		}
		mutex.Lock()
		defer mutex.Unlock()
		return ack
	}
}

// work sends each line of stdin as a batch of one log, probes when there is nothing to send, and ends when all is acknowledged.
func work(shard uint32, send func(*TMessage) int64) {
	w := &worker{shard: shard, send: send}
	lines := make(chan []byte)
	go func() {
		scanner := bufio.NewScanner(os.Stdin)
		scanner.Buffer(nil, 64<<20)
		for scanner.Scan() {
			log, err := hex.DecodeString(scanner.Text())
			check(err)
			lines <- log
		}
		close(lines)
	}()
	isOpen := true
	for isOpen || len(w.unacked) > 0 {
		select {
		case log, ok := <-lines:
			if ok {
				w.transfer([][]byte{log})
				fmt.Println("sent", len(w.unacked))
				continue
			}
			isOpen = false
			lines = nil
		case <-time.After(300 * time.Millisecond):
			w.probe()
		}
	}
	fmt.Println("all acknowledged")
}
