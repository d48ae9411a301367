// The program in every image of real nodes. What it does stands in /behaviour.json of its image: the row of the lab's
// table of images, which simulated nodes read too. The cluster sees neither.
package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

const terminated = 143 // as of a program that SIGTERM ends; an exit code of 0 would hide an eviction

// Behaviour is interlock.lab.kubelet.images.Image, with sizes in bytes and times in seconds.
type Behaviour struct {
	Listens    []int                  `json:"listens"`
	Endpoints  []Endpoint             `json:"endpoints"`
	StartsIn   float64                `json:"starts_in"`
	WorkingSet int64                  `json:"working_set"`
	Grows      int64                  `json:"grows"`
	CPU        int                    `json:"cpu"`
	AnswersIn  float64                `json:"answers_in"`
	Requires   map[string]Requirement `json:"requires"`
	Log        []string               `json:"log"`
	Chatter    Chatter                `json:"chatter"`
	Crash      *Crash                 `json:"crash"`
	Completes  *float64               `json:"completes"`
}

// Endpoint is a path that answers, on any port where none is named.
type Endpoint struct {
	Path   string `json:"path"`
	Port   *int   `json:"port"`
	Status int    `json:"status"`
}

// Requirement is what is said before the end when a variable is unset.
type Requirement struct {
	Log []string `json:"log"`
}

// Chatter is said in turn while the program runs.
type Chatter struct {
	Every float64  `json:"every"`
	Lines []string `json:"lines"`
}

// Crash is an end with an error.
type Crash struct {
	ExitCode int      `json:"exit_code"`
	After    float64  `json:"after"`
	Log      []string `json:"log"`
}

func main() {
	go endOnSignal()
	switch {
	case len(os.Args) > 1 && os.Args[1] == "pause":
		select {}
	case filepath.Base(os.Args[0]) == "sh" && len(os.Args) > 2:
		shell(os.Args[2])
	default:
		behaviour, err := read("/behaviour.json")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		behaviour.run()
	}
}

func endOnSignal() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	<-signals
	os.Exit(terminated)
}

func read(path string) (Behaviour, error) {
	var found Behaviour
	content, err := os.ReadFile(path)
	if err != nil {
		return found, err
	}
	return found, json.Unmarshal(content, &found)
}

func (b Behaviour) run() {
	for name, requirement := range b.Requires {
		if os.Getenv(name) == "" {
			say(append(requirement.Log, fmt.Sprintf("fatal: %s is not set", name))[:max(1, len(requirement.Log))])
			os.Exit(1)
		}
	}
	say(b.Log)
	if b.Crash != nil {
		sleep(b.Crash.After)
		say(b.Crash.Log)
		os.Exit(b.Crash.ExitCode)
	}
	go b.grow()
	if b.Completes != nil {
		sleep(*b.Completes)
		os.Exit(0)
	}
	b.warmUp()
	for _, port := range b.Listens {
		go b.serve(port)
	}
	b.chat()
}

// warmUp starts with real work where the program needs processor time, so that a limit below it is felt.
func (b Behaviour) warmUp() {
	if b.CPU == 0 {
		sleep(b.StartsIn)
		return
	}
	burn(time.Duration(b.StartsIn * float64(b.CPU) / 1000 * float64(time.Second)))
}

func (b Behaviour) serve(port int) {
	listener, err := net.Listen("tcp", fmt.Sprintf(":%d", port))
	if err == nil {
		server := http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			sleep(b.AnswersIn)
			w.WriteHeader(b.status(r.URL.Path, port))
		})}
		err = server.Serve(listener)
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func (b Behaviour) status(path string, port int) int {
	for _, endpoint := range b.Endpoints {
		if endpoint.Path == path && (endpoint.Port == nil || *endpoint.Port == port) {
			return endpoint.Status
		}
	}
	if b.Endpoints == nil {
		return http.StatusOK
	}
	return http.StatusNotFound
}

func (b Behaviour) grow() {
	hold(b.WorkingSet)
	for b.Grows > 0 {
		hold(b.Grows)
		sleep(1)
	}
}

func (b Behaviour) chat() {
	for turn := 0; ; turn++ {
		sleep(b.Chatter.Every)
		if len(b.Chatter.Lines) > 0 {
			fmt.Println(b.Chatter.Lines[turn%len(b.Chatter.Lines)])
		}
	}
}

func say(lines []string) {
	for _, line := range lines {
		fmt.Println(line)
	}
}

func sleep(seconds float64) {
	time.Sleep(time.Duration(seconds * float64(time.Second)))
}

func burn(processorTime time.Duration) {
	for processorTimeUsed() < processorTime {
	}
}

func processorTimeUsed() time.Duration {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

var held [][]byte

// hold takes memory and touches every page of it, so that the kernel counts it.
func hold(bytes int64) {
	block := make([]byte, bytes)
	for i := 0; i < len(block); i += os.Getpagesize() {
		block[i] = 1
	}
	held = append(held, block)
}
