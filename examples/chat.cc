// A chat in C++: every line of standard input is a message, answers are streamed.
//   chat [MODEL]
#include <iostream>
#include <string>

#include "tandem/tandem.h"

int main(int argc, char** argv) {
  auto model = tandem::Model::Open(argc > 1 ? argv[1] : "qwen3.5:demo", {});
  if (!model.ok()) {
    std::cerr << "Error: " << model.status().message() << "\n";
    return 1;
  }
  tandem::Session session(*model);
  for (std::string line; std::getline(std::cin, line);) {
    session.Add({.role = "user", .content = line, .reasoning = ""});
    const auto answer = session.Generate({}, [](const tandem::Event& event) {
      if (event.kind == tandem::Event::Kind::kAnswer) {
        std::cout << event.text << std::flush;
      }
      return true;
    });
    if (!answer.ok()) {
      std::cerr << "Error: " << answer.status().message() << "\n";
      return 1;
    }
    std::cout << "\n";
    std::cerr << answer->figures.answer_tokens << " tokens, "
              << answer->figures.decode_tokens_per_second << " tokens/s\n";
  }
  return 0;
}
