#include "check/check_data.h"

#include <string_view>

#include "io/json.h"

// The labels of check_data.S.
extern "C" {
extern const char tandem_check_data_begin[];
extern const char tandem_check_data_end[];
}

namespace tandem {

// The file is ours and part of the program: a field of the wrong kind is empty here, and
// text_check_test.cc holds it to what it should be.
Result<CheckData> CheckData::BuiltIn() {
  const std::string_view text(
      tandem_check_data_begin,
      static_cast<std::size_t>(tandem_check_data_end - tandem_check_data_begin));
  TANDEM_ASSIGN_OR_RETURN(const Json root, ParseJson(text, "assets/check.json"));
  CheckData data;
  data.text = root.value("text", "");
  for (const Json& item : root.value("prompts", Json::array())) {
    data.prompts.push_back({.prompt = item.value("prompt", ""),
                            .words = item.value("words", std::vector<std::string>{})});
  }
  for (const Json& item : root.value("ids", Json::array())) {
    IdVectors& vectors = data.ids.emplace_back();
    vectors.architecture = item.value("architecture", "");
    vectors.vocabulary = item.value("vocabulary", std::size_t{0});
    for (const Json& vector : item.value("vectors", Json::array())) {
      vectors.vectors.push_back({.text = vector.value("text", ""),
                                 .special = vector.value("special", false),
                                 .ids = vector.value("ids", std::vector<TokenId>{})});
    }
  }
  return data;
}

}  // namespace tandem
