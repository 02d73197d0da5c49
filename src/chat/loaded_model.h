#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "gguf/file_watch.h"
#include "gguf/model_file.h"
#include "grammar/token_trie.h"
#include "model/network.h"
#include "text/file_tokenizer.h"
#include "text/template.h"
#include "vision/encoder.h"

namespace tandem {

/// A model file with all that a conversation needs of it: network, tokenizer, chat template.
/// Immutable and thread-safe; engines and sessions made from it must not outlive it.
class LoadedModel {
 public:
  /// Errors of LoadNetwork and FileTokenizer::Read; Corrupt when vocabulary and head differ in
  /// size.
  static Result<std::unique_ptr<LoadedModel>> Load(std::unique_ptr<gguf::ModelFile> file);

  const gguf::ModelFile& file() const { return *file_; }
  const Network& network() const { return *model_; }
  const text::FileTokenizer& text() const { return *text_; }
  const text::Tokenizer& tokenizer() const { return text_->tokenizer(); }
  /// Io when somebody has written to the file since it was loaded (gguf::FileWatch::Check).
  Status CheckFile() const { return watch_.Check(); }
  /// The file's chat template. NotFound when it has none, Corrupt when it cannot be parsed.
  Result<const text::Template*> chat_template() const;
  /// The template's text, empty without one.
  std::string_view template_source() const { return template_source_; }
  /// Whether the model thinks without being asked: where a prompt neither opens nor closes a think
  /// block, its answer begins with one. Told by a template that knows the marks, or by the file's
  /// name: those of Phi-4-mini-reasoning and its instruct twin differ by nothing else of use.
  bool opens_thinking() const { return opens_thinking_; }

  /// The tokens that are ordinary text, as a tree; made when it is asked for first.
  const std::shared_ptr<const grammar::TokenTrie>& token_trie() const;

  /// What lets the model see, or nullptr. To be set before the model is shared.
  void set_eyes(std::shared_ptr<VisionEncoder> eyes) { eyes_ = std::move(eyes); }
  VisionEncoder* eyes() const { return eyes_.get(); }
  /// Why there are none, when a vision file was found that cannot be used.
  void set_blind_reason(Status reason) { blind_reason_ = std::move(reason); }
  /// Why a vision file that is there was not used; OK when there is none, or it is used.
  const Status& blind_reason() const { return blind_reason_; }
  /// Encodes pictures and clips in order. Unsupported when the model cannot see; errors of
  /// VisionEncoder::Encode.
  Result<std::vector<std::shared_ptr<const EncodedMedia>>> See(std::span<const MediaSource> media,
                                                               const LookWatch& watch) const;

 private:
  LoadedModel() = default;

  std::unique_ptr<gguf::ModelFile> file_;
  gguf::FileWatch watch_;
  std::shared_ptr<VisionEncoder> eyes_;
  Status blind_reason_;
  std::unique_ptr<Network> model_;
  std::unique_ptr<text::FileTokenizer> text_;
  std::string_view template_source_;
  bool opens_thinking_ = false;
  std::optional<text::Template> template_;
  Status template_error_;
  mutable std::once_flag trie_made_;
  mutable std::shared_ptr<const grammar::TokenTrie> trie_;
};

}  // namespace tandem
