// A far side in Go for the tunnels tcp and rpc, written from the description of the wire: the real net/rpc and
// encoding/gob against our own codec. Usage:
//
//	go-peer rpc-server|tcp-server <port>   prints every log as "shard tag hex", in the order it handles them
//	go-peer rpc-client|tcp-client <port>   sends what stdin says, one message a line: "shard tag checksum hex,hex,..."
//	                                       and prints each reply (rpc) or polled ack (tcp)
//	go-peer rpc-worker|tcp-worker <port>   sends each line of stdin, one log in hex, as a worker of a collector does
package main

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"net/rpc"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// TMessage is what one call or packet carries.
type TMessage struct {
	Checksum uint32
	Tag      uint32
	Shard    uint32
	Compress uint32
	RawLogs  [][]byte
}

const shards = 16

// replayer does what the stock one does: checks, queues, and answers with the ack from before.
type replayer struct {
	mutex    sync.Mutex
	ack      int64
	wantsAll bool
	queue    chan *TMessage
}

var output sync.Mutex

func newReplayer() *replayer {
	r := &replayer{queue: make(chan *TMessage, 256)}
	go func() {
		for message := range r.queue {
			for _, log := range message.RawLogs {
				output.Lock()
				fmt.Printf("%d %x %s\n", message.Shard, message.Tag, hex.EncodeToString(log))
				output.Unlock()
			}
			if n := len(message.RawLogs); n > 0 {
				r.mutex.Lock()
				r.ack = timestampOf(message.RawLogs[n-1])
				r.mutex.Unlock()
			}
		}
	}()
	return r
}

// timestampOf reads ts, which our test entries have first: increment and seconds, little endian.
func timestampOf(log []byte) int64 {
	return int64(binary.LittleEndian.Uint64(log[8:16]))
}

func (r *replayer) sync(message *TMessage) int64 {
	r.mutex.Lock()
	if r.wantsAll {
		if message.Tag&1 == 0 {
			r.mutex.Unlock()
			return -4
		}
		r.wantsAll = false
	}
	var sum uint32
	for _, log := range message.RawLogs {
		sum ^= crc32.ChecksumIEEE(log)
	}
	if message.Checksum != 0 && message.Checksum != sum {
		r.wantsAll = true
		r.mutex.Unlock()
		return -6
	}
	r.mutex.Unlock()
	for i, log := range message.RawLogs {
		whole, err := decompress(message.Compress, log)
		if err != nil {
			r.mutex.Lock()
			r.wantsAll = true
			r.mutex.Unlock()
			return -8
		}
		message.RawLogs[i] = whole
	}
	r.queue <- message
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return r.ack
}

func decompress(id uint32, log []byte) ([]byte, error) {
	var reader io.Reader
	var err error
	switch id {
	case 1:
		reader, err = gzip.NewReader(bytes.NewReader(log))
	case 3:
		reader, err = zlib.NewReader(bytes.NewReader(log))
	case 4:
		reader = flate.NewReader(bytes.NewReader(log))
	default:
		return log, nil
	}
	if err != nil {
		return nil, err
	}
	return io.ReadAll(reader)
}

// TunnelRPC is the service of the rpc tunnel.
type TunnelRPC struct {
	replayers []*replayer
}

// Transfer takes one message.
func (tunnel *TunnelRPC) Transfer(message *TMessage, response *int64) error {
	*response = tunnel.replayers[message.Shard%shards].sync(message)
	return nil
}

func newTunnel() *TunnelRPC {
	tunnel := &TunnelRPC{}
	for i := 0; i < shards; i++ {
		tunnel.replayers = append(tunnel.replayers, newReplayer())
	}
	return tunnel
}

func main() {
	port, err := strconv.Atoi(os.Args[2])
	check(err)
	switch os.Args[1] {
	case "rpc-server":
		server := rpc.NewServer()
		check(server.Register(newTunnel()))
		accept(port, func(connection net.Conn) { server.ServeConn(connection) })
	case "tcp-server":
		serveTCP(port)
	case "rpc-client":
		client, err := rpc.Dial("tcp", address(port))
		check(err)
		eachMessage(func(message *TMessage) int64 {
			var reply int64
			check(client.Call("TunnelRPC.Transfer", message, &reply))
			return reply
		})
		var reply int64
		fmt.Println("unknown method:", client.Call("TunnelRPC.Nothing", &TMessage{}, &reply))
		check(client.Call("TunnelRPC.Transfer", &TMessage{Tag: 0x110}, &reply))
		fmt.Println("and after it:", reply)
	case "rpc-worker":
		work(0, rpcSender(port))
	case "tcp-worker":
		work(0, tcpSender(port))
	case "tcp-client":
		transfer, err := net.Dial("tcp", address(port))
		check(err)
		acks, err := net.Dial("tcp", address(port+1))
		check(err)
		eachMessage(func(message *TMessage) int64 {
			_, err := transfer.Write(packet(2, encode(message)))
			check(err)
			time.Sleep(100 * time.Millisecond)
			_, err = acks.Write(packet(1, nil))
			check(err)
			_, payload := readPacket(acks)
			return int64(binary.BigEndian.Uint64(payload))
		})
	}
}

func serveTCP(port int) {
	tunnel := newTunnel()
	var mutex sync.Mutex
	var shared int64
	go accept(port+1, func(connection net.Conn) {
		for {
			if kind, _ := readPacket(connection); kind == 0 {
				return
			}
			payload := make([]byte, 8)
			mutex.Lock()
			binary.BigEndian.PutUint64(payload, uint64(shared))
			mutex.Unlock()
			if _, err := connection.Write(packet(3, payload)); err != nil {
				return
			}
		}
	})
	accept(port, func(connection net.Conn) {
		for {
			kind, payload := readPacket(connection)
			if kind == 0 {
				return
			}
			message := decode(payload)
			reply := tunnel.replayers[message.Shard%shards].sync(message)
			mutex.Lock()
			shared = reply
			mutex.Unlock()
		}
	})
}

func accept(port int, serve func(net.Conn)) {
	listener, err := net.Listen("tcp", address(port))
	check(err)
	fmt.Fprintln(os.Stderr, "listening")
	for {
		connection, err := listener.Accept()
		check(err)
		go func() {
			defer connection.Close()
			serve(connection)
		}()
	}
}

func packet(kind byte, payload []byte) []byte {
	header := []byte{0xca, 0xfe, 1, kind, 0, 0, 0, 0, 0, 0, 0, 0}
	binary.BigEndian.PutUint32(header[8:], uint32(len(payload)))
	return append(header, payload...)
}

// readPacket returns kind 0 at the end of the connection.
func readPacket(connection net.Conn) (byte, []byte) {
	header := make([]byte, 12)
	if _, err := io.ReadFull(connection, header); err != nil {
		return 0, nil
	}
	if header[0] != 0xca || header[1] != 0xfe || header[2] != 1 {
		panic("bad packet " + hex.EncodeToString(header))
	}
	payload := make([]byte, binary.BigEndian.Uint32(header[8:]))
	if _, err := io.ReadFull(connection, payload); err != nil {
		return 0, nil
	}
	return header[3], payload
}

func encode(message *TMessage) []byte {
	var out bytes.Buffer
	for _, word := range []uint32{message.Checksum, message.Tag, message.Shard, message.Compress, uint32(len(message.RawLogs))} {
		check(binary.Write(&out, binary.BigEndian, word))
	}
	for _, log := range message.RawLogs {
		check(binary.Write(&out, binary.BigEndian, uint32(len(log))))
		out.Write(log)
	}
	return out.Bytes()
}

func decode(payload []byte) *TMessage {
	word := func(at int) uint32 { return binary.BigEndian.Uint32(payload[at:]) }
	message := &TMessage{Checksum: word(0), Tag: word(4), Shard: word(8), Compress: word(12)}
	at := 20
	for n := word(16); n > 0; n-- {
		length := int(word(at))
		message.RawLogs = append(message.RawLogs, payload[at+4:at+4+length])
		at += 4 + length
	}
	return message
}

func eachMessage(send func(*TMessage) int64) {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		words := strings.Split(lines.Text(), " ")
		message := &TMessage{Shard: number(words[0]), Tag: number(words[1]), Checksum: number(words[2])}
		for _, text := range strings.Split(words[3], ",") {
			if text == "" {
				continue
			}
			log, err := hex.DecodeString(text)
			check(err)
			message.RawLogs = append(message.RawLogs, log)
		}
		fmt.Println(send(message))
	}
}

func number(text string) uint32 {
	value, err := strconv.ParseUint(text, 10, 32)
	check(err)
	return uint32(value)
}

func address(port int) string {
	return fmt.Sprintf("127.0.0.1:%d", port)
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
