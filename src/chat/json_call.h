#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace tandem {

/// Reads a JSON object that is a call of a tool, character by character: {"name": .., "arguments":
/// {..}}, with "parameters" for "arguments", the arguments as a string that holds JSON, or all of
/// it under "function". Tells the name and the arguments as soon as they are there. A value;
/// single-threaded.
class JsonCall {
 public:
  /// Takes characters up to the object's closing brace, or to a < outside of strings, where JSON
  /// has none and a mark may stand; returns how many it took. The first must be the opening brace.
  std::size_t Push(std::string_view text);
  bool ended() const { return depth_ == 0 && !text_.empty(); }

  /// Everything pushed.
  const std::string& text() const { return text_; }
  /// The name, once it has been read at the object's own level.
  const std::optional<std::string>& name() const { return name_; }
  /// What has been read of arguments that are an object at the object's own level.
  std::string_view arguments() const;

  struct Call {
    std::string name;
    std::string arguments;  // text of a JSON object
    bool has_arguments = false;
  };
  /// The call, when the object is one; a missing closing brace at the end is allowed.
  std::optional<Call> Read() const;
  /// The name and nothing more, or the arguments when they are whole; of an object that is no call.
  Call Known() const;

 private:
  enum class Part { kKey, kColon, kValue };

  void OnString(char c);
  void OnOther(char c);
  void BeginValue();
  void EndValue();
  bool InArguments() const { return key_ == "arguments" || key_ == "parameters"; }

  std::string text_;
  std::size_t depth_ = 0;
  bool in_string_ = false;
  bool escaped_ = false;
  Part part_ = Part::kKey;
  std::string key_;
  std::size_t begin_ = 0;  // of the key or value
  bool in_value_ = false;
  std::optional<std::string> name_;
  std::size_t arguments_begin_ = 0;  // 0: not yet; the object's brace is in front of them
  std::size_t arguments_end_ = 0;
};

}  // namespace tandem
