package main

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
)

var between = regexp.MustCompile(`;|&&|\n`)

// shell knows the words that the lab's tests and jobs use: echo, sleep and exit.
func shell(script string) {
	for _, command := range between.Split(script, -1) {
		words := strings.Fields(command)
		if len(words) == 0 {
			continue
		}
		switch rest := strings.Trim(strings.Join(words[1:], " "), `"'`); words[0] {
		case "echo":
			fmt.Println(rest)
		case "sleep":
			rested(rest)
		case "exit":
			code, _ := strconv.Atoi(rest)
			os.Exit(code)
		default:
			fmt.Fprintf(os.Stderr, "sh: %s: not found\n", words[0])
			os.Exit(127)
		}
	}
}

func rested(seconds string) {
	amount, err := strconv.ParseFloat(seconds, 64)
	if err != nil {
		select {} // infinity
	}
	sleep(amount)
}
