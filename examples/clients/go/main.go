// Asks a gateway about DICOM, PNG or JPEG files. Research use only.
//
//	findings localhost:50051 MODEL FILE...
//
// One file is one call (Analyze), several are one stream (AnalyzeStream), whose answers come as they are found. Where the
// gateway asks for TLS and tokens, KERASCOPE_TLS_CA and KERASCOPE_TOKEN_FILE name them.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	pb "kerascope/v1"
)

const chunkBytes = 1 << 20

func main() {
	log.SetFlags(0)
	if len(os.Args) < 4 {
		log.Fatal("usage: findings ADDRESS MODEL FILE...")
	}
	address, model, files := os.Args[1], os.Args[2], os.Args[3:]
	connection, err := grpc.Dial(address, security())
	if err != nil {
		log.Fatal(err)
	}
	defer connection.Close()
	client := pb.NewInferenceClient(connection)
	if len(files) == 1 {
		err = one(client, model, files[0])
	} else {
		err = many(client, model, files)
	}
	if err != nil {
		log.Fatal(err)
	}
}

// one sends a whole file and waits for its findings.
func one(client pb.InferenceClient, model, file string) error {
	image, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(authorised(), time.Minute)
	defer cancel()
	var trailer metadata.MD
	request := &pb.AnalyzeRequest{Model: &pb.ModelRef{Name: model}, Image: image}
	// Answers of large models outgrow gRPC's 4 MiB: the evidence is a map for each label.
	answer, err := client.Analyze(ctx, request, grpc.Trailer(&trailer), grpc.MaxCallRecvMsgSize(64<<20))
	if err != nil { // the status for people, the trailers for programs
		return fmt.Errorf("%s: %s (%s)", status.Convert(err).Message(), trailer["kerascope-error"], trailer["kerascope-reason"])
	}
	show(file, answer)
	fmt.Println(answer.Notice)
	return nil
}

// many sends files on one stream, and prints each answer as it comes: in any order, under the name it was sent with.
func many(client pb.InferenceClient, model string, files []string) error {
	ctx, cancel := context.WithCancel(authorised())
	defer cancel()
	stream, err := client.AnalyzeStream(ctx, grpc.MaxCallRecvMsgSize(64<<20))
	if err != nil {
		return err
	}
	go func() {
		if err := send(stream, model, files); err != nil && err != io.EOF { // io.EOF: Recv says why
			log.Print(err)
			cancel()
		}
	}()
	notice := ""
	for {
		response, err := stream.Recv()
		if err == io.EOF {
			fmt.Println(notice)
			return nil
		}
		if err != nil {
			return err
		}
		answer := response.GetAnswer()
		if answer == nil { // the stream is open
			continue
		}
		var number int
		fmt.Sscanf(answer.ImageId, "image-%d", &number)
		if analysis := answer.GetAnalysis(); analysis != nil {
			show(files[number], analysis)
			notice = analysis.Notice
		} else {
			fmt.Printf("%s: %s %s. %s\n", files[number], answer.GetError().Error, answer.GetError().Reason, answer.GetError().Detail)
		}
	}
}

// send begins with the options and goes on with the files, in pieces. It waits while the gateway has enough in hand.
func send(stream pb.Inference_AnalyzeStreamClient, model string, files []string) error {
	options := &pb.StreamOptions{Model: &pb.ModelRef{Name: model}}
	err := stream.Send(&pb.AnalyzeStreamRequest{Part: &pb.AnalyzeStreamRequest_Options{Options: options}})
	for number, file := range files {
		data, unreadable := os.ReadFile(file)
		if unreadable != nil {
			return unreadable
		}
		for last := false; !last && err == nil; {
			size := chunkBytes
			if last = len(data) <= size; last {
				size = len(data)
			}
			chunk := &pb.ImageChunk{ImageId: fmt.Sprintf("image-%d", number), Data: data[:size], Last: last}
			err = stream.Send(&pb.AnalyzeStreamRequest{Part: &pb.AnalyzeStreamRequest_Chunk{Chunk: chunk}})
			data = data[size:]
		}
	}
	if err != nil {
		return err
	}
	return stream.CloseSend()
}

// show prints the caution, where there is one, and each finding with its calibrated probability and what that means at
// the model's operating point.
func show(file string, analysis *pb.AnalyzeResponse) {
	if analysis.Caution != nil {
		fmt.Printf("%s: %s\n", file, analysis.Caution.Message)
	}
	for _, finding := range analysis.Findings {
		verdict := strings.ToLower(strings.TrimPrefix(finding.Verdict.String(), "VERDICT_"))
		fmt.Printf("%s: %s %.3f %s\n", file, finding.Label, finding.Probability, strings.ReplaceAll(verdict, "_", " "))
	}
}

// security is TLS where an authority is named, and none otherwise.
func security() grpc.DialOption {
	authority := os.Getenv("KERASCOPE_TLS_CA")
	if authority == "" {
		return grpc.WithInsecure()
	}
	tls, err := credentials.NewClientTLSFromFile(authority, "")
	if err != nil {
		log.Fatal(err)
	}
	return grpc.WithTransportCredentials(tls)
}

// authorised carries the token, where there is one.
func authorised() context.Context {
	token, err := os.ReadFile(os.Getenv("KERASCOPE_TOKEN_FILE"))
	if err != nil {
		return context.Background()
	}
	return metadata.AppendToOutgoingContext(context.Background(), "authorization", "Bearer "+strings.TrimSpace(string(token)))
}
