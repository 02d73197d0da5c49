#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/token_id.h"
#include "chat/prompt.h"
#include "gguf/model_file.h"
#include "text/file_tokenizer.h"
#include "vision/geometry.h"

namespace tandem {

/// "true" or "false" of a --think option, kDefault when it is absent.
Result<ThinkMode> ParseThink(const std::optional<std::string>& value);

/// Reads a file of messages (ParseConversation).
Result<Conversation> ReadConversationFile(const std::string& path);

/// "MIN:MAX" of a pixel option, nothing when it is absent. InvalidArgument names the option.
Result<std::optional<PixelRange>> ParsePixels(const std::optional<std::string>& value,
                                              std::string_view option);

/// Token ids from a JSON array. `where` names it in errors.
Result<std::vector<TokenId>> ParseIds(std::string_view json, std::string_view where);

/// A model file opened for its tokenizer alone: files that hold nothing but a vocabulary will do.
struct OpenedTokenizer {
  std::unique_ptr<gguf::ModelFile> file;
  std::unique_ptr<text::FileTokenizer> text;

  static Result<OpenedTokenizer> Open(const std::string& name_or_path);
};

}  // namespace tandem
