package main

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
)

// The model named "tiny" has two scores, any other a thousand. The last class always wins.
const tinyModel = "tiny"

func scores(n int) []float32 {
	all := make([]float32, n)
	for i := range all {
		all[i] = 1 / float32(2*n)
	}
	all[n-1] = 0.75
	return all
}

// inferResponse is an inference.ModelInferResponse.
func inferResponse(model string, scores []float32) []byte {
	var raw []byte
	for _, score := range scores {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(score))
	}
	shape := binary.AppendUvarint([]byte{1}, uint64(len(scores)))
	var tensor []byte
	tensor = appendField(tensor, 1, []byte("prob"))
	tensor = appendField(tensor, 2, []byte("FP32"))
	tensor = appendField(tensor, 3, shape)
	var message []byte
	message = appendField(message, 1, []byte(model))
	message = appendField(message, 5, tensor)
	return appendField(message, 6, raw)
}

func appendField(to []byte, number int, value []byte) []byte {
	to = append(to, byte(number<<3|2))
	to = binary.AppendUvarint(to, uint64(len(value)))
	return append(to, value...)
}

func inferJSON(model string, scores []float32) []byte {
	texts := make([]string, len(scores))
	for i, score := range scores {
		texts[i] = fmt.Sprint(score)
	}
	return fmt.Appendf(nil, `{"model_name":"%s","outputs":[{"name":"prob","datatype":"FP32","shape":[1,%d],"data":[%s]}]}`,
		model, len(scores), strings.Join(texts, ","))
}
