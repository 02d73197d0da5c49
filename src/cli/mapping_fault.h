#pragma once

namespace tandem {

/// From now on a page of a mapped file that can no longer be read (somebody cut the file, the disk
/// or network under it failed) ends the program with a line that names the file and the numbers,
/// and exit code 1, where the system would kill it without a word (SIGBUS). Before other threads
/// start.
void EndOnUnreadableMapping();

}  // namespace tandem
