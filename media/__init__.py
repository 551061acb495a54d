"""What a file is: sound, pictures, video and what they say of themselves, without torch."""
